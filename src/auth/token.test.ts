import { expect, test } from "bun:test";
import type { KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { array, assert, asyncProperty, json, oneof, string } from "fast-check";
import { temporaryFolder } from "../base/test-support.ts";
import type { Access } from "../oci/scope.ts";
import { atOnce, withAuthorization } from "./test-support.ts";
import {
  alice,
  base,
  challenge,
  claims,
  ed,
  good,
  invalid,
  jwkOf,
  open,
  p256,
  p384,
  repository,
  rsa,
  secret,
  service,
  startSeconds,
  token,
} from "./token-support.ts";

test.each([undefined, "", "Bearer", "Bearer ", "Basic YWxpY2U6c2VjcmV0"])(
  "without a token (%p) the challenge names service and scope, and no error",
  (authorization) => {
    using registry = open();
    const accesses = [repository("team/app", "pull", "push"), repository("other", "pull")];
    expect(atOnce(registry.auth.decide(withAuthorization(authorization), accesses))).toEqual(
      challenge(',scope="repository:team/app:pull,push repository:other:pull"'),
    );
    expect(atOnce(registry.auth.decide(withAuthorization(authorization), base))).toEqual(
      challenge(""),
    );
    expect(
      atOnce(registry.auth.decide(withAuthorization(authorization), [{ kind: "catalog" }])),
    ).toEqual(challenge(',scope="registry:catalog:*"'));
  },
);

test("what a request can do without is named in its challenge, and not asked of a token", async () => {
  using registry = open();
  const app = [repository("team/app", "pull")];
  const besides = [repository("other", "pull")];
  const unknown = atOnce(registry.auth.decide(withAuthorization(undefined), app, besides));
  expect(unknown.kind === "challenge" && unknown.challenge).toEndWith(
    ',scope="repository:team/app:pull repository:other:pull"',
  );
  const authorization = withAuthorization(`Bearer ${good()}`);
  expect((await registry.auth.decide(authorization, app, besides)).kind).toBe("granted");
});

test.each(["/auth/token", "auth/token"])(
  "autoredirect to %s is where the client came to",
  (path) => {
    using registry = open({ autoRedirectPath: path });
    const decision = atOnce(registry.auth.decide(withAuthorization(undefined), base));
    expect(decision.kind === "challenge" && decision.challenge).toBe(
      'Bearer realm="https://registry.example/auth/token",service="registry.example"',
    );
  },
);

const signers: readonly (readonly [alg: string, kid: string, key: KeyObject])[] = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map(
    (alg) => [alg, "rsa", rsa.privateKey] as const,
  ),
  ["ES256", "p256", p256.privateKey],
  ["ES384", "p384", p384.privateKey],
  ["EdDSA", "ed", ed.privateKey],
  ...["HS256", "HS384", "HS512"].map((alg) => [alg, "secret", secret] as const),
];

test.each(signers)("a token signed with %s by key %s is accepted", async (alg, kid, key) => {
  using registry = open();
  const bearer = token({ alg, kid }, claims, { alg, key });
  expect(await registry.decide(bearer)).toEqual(alice);
  const [head, body, signature = ""] = bearer.split(".");
  const flipped = `${signature[0] === "A" ? "B" : "A"}${signature.slice(1)}`;
  expect(await registry.decide(`${head}.${body}.${flipped}`)).toEqual(invalid);
});

test("a token whose chain of certificates ends in the bundle is accepted", async () => {
  using registry = open();
  const signer = { alg: "ES256", key: service.privateKey };
  const header = { alg: "ES256", x5c: [service.base64] };
  expect(await registry.decide(token(header, claims, signer))).toEqual(alice);
  const named = { ...header, kid: "a name of the service's own" };
  expect(await registry.decide(token(named, claims, signer))).toEqual(alice);
});

test.each([
  ["a list of audiences", { aud: ["other.example", "registry.example"] }],
  ["no subject", { sub: undefined }],
  ["no nbf", { nbf: undefined }],
  ["an end within the leeway", { exp: startSeconds - 59 }],
  ["a beginning within the leeway", { nbf: startSeconds + 59 }],
])("a token with %s is accepted", async (_name, extra) => {
  using registry = open();
  expect((await registry.decide(good(extra))).kind).toBe("granted");
});

test("a subject is text that every reader of the log can read", async () => {
  using registry = open();
  const identity = { kind: "token", name: "a\ufffdb" } as const;
  expect(await registry.decide(good({ sub: "a\ud83db" }))).toEqual({ kind: "granted", identity });
});

test("what a token grants is what is granted, and no more", async () => {
  using registry = open();
  const bearer = good({
    access: [
      { type: "repository", name: "team/app", actions: ["pull"] },
      { type: "repository", name: "team/app", actions: ["push"] },
      { type: "repository", name: "team/all", class: "image", actions: ["*"] },
      { type: "repository", name: "team/none", actions: null },
      { type: "registry", name: "team/other", actions: ["pull"] },
    ],
  });
  const may = async (...accesses: readonly Access[]): Promise<boolean> =>
    (await registry.decide(bearer, accesses)).kind === "granted";

  expect(await may({ kind: "base" })).toBe(true);
  expect(await may(repository("team/app", "pull", "push"))).toBe(true);
  expect(await may(repository("team/app", "delete"))).toBe(false);
  expect(await may(repository("team/all", "pull", "push", "delete"))).toBe(true);
  expect(await may(repository("team/none", "pull"))).toBe(false);
  expect(await may(repository("team/other", "pull"))).toBe(false);
  expect(await may(repository("team", "pull"))).toBe(false);
  expect(await may(repository("team/app", "push"), repository("team/all", "pull"))).toBe(true);
  expect(await may(repository("team/app", "push"), repository("team/none", "pull"))).toBe(false);
  expect(await may({ kind: "catalog" })).toBe(false);
});

test.each([
  [["*"], true],
  [["pull"], false],
  [[], false],
])("catalog with actions %p: %p", async (actions, isGranted) => {
  using registry = open();
  const bearer = good({ access: [{ type: "registry", name: "catalog", actions }] });
  const decision = await registry.decide(bearer, [{ kind: "catalog" }]);
  expect(decision.kind === "granted").toBe(isGranted);
});

test.each([[undefined], [null], [[]]])(
  "access %p opens the base and nothing else",
  async (access) => {
    using registry = open();
    const bearer = good({ access });
    expect((await registry.decide(bearer, base)).kind).toBe("granted");
    // A 401 that asks for more, as Distribution answers: the client fetches a wider token.
    expect(await registry.decide(bearer)).toEqual(
      challenge(',scope="repository:team/app:pull",error="insufficient_scope"'),
    );
  },
);

test("only the algorithms of the configuration are accepted", async () => {
  using registry = open({ signingAlgorithms: ["ES256"] });
  expect(await registry.decide(good())).toEqual(invalid);
  const signer = { alg: "ES256", key: p256.privateKey };
  expect(await registry.decide(token({ alg: "ES256", kid: "p256" }, claims, signer))).toEqual(
    alice,
  );
});

test("a key that names its algorithm in the set is used with no other", async () => {
  using registry = open({ rootCertBundlePath: undefined });
  const keys = [{ ...jwkOf(rsa.publicKey, "rsa"), alg: "RS256" }];
  writeFileSync(registry.jwksPath, JSON.stringify({ keys }));
  registry.clock.pass(1_000);
  expect(await registry.decide(good())).toEqual(alice);
  const signer = { alg: "RS512", key: rsa.privateKey };
  expect(await registry.decide(token({ alg: "RS512", kid: "rsa" }, claims, signer))).toEqual(
    invalid,
  );
});

test("a verified token is remembered until it ends", async () => {
  using registry = open();
  const bearer = good({ exp: startSeconds + 100 });
  expect(registry.decide(bearer)).toBeInstanceOf(Promise);
  expect(await registry.decide(bearer)).toEqual(alice);
  registry.clock.pass(159_999);
  expect(atOnce(registry.decide(bearer))).toEqual(alice);
  // Each request is judged on its own.
  expect(atOnce(registry.decide(bearer, [repository("other", "pull")])).kind).toBe("challenge");
  registry.clock.pass(1);
  expect(await registry.decide(bearer)).toEqual(invalid);
});

test("a token of a year is verified again every few minutes", async () => {
  using registry = open();
  const bearer = good({ exp: startSeconds + 31_536_000 });
  await registry.decide(bearer);
  registry.clock.pass(300_000);
  expect(registry.decide(bearer)).toBeInstanceOf(Promise);
});

test("a key that leaves its file takes its tokens with it, within a second", async () => {
  using registry = open({ rootCertBundlePath: undefined });
  const bearer = good();
  expect(await registry.decide(bearer)).toEqual(alice);
  writeFileSync(registry.jwksPath, JSON.stringify({ keys: [jwkOf(ed.publicKey, "ed")] }));
  registry.clock.pass(1_000);
  expect(await registry.decide(bearer)).toEqual(invalid);
  const signer = { alg: "EdDSA", key: ed.privateKey };
  expect(await registry.decide(token({ alg: "EdDSA", kid: "ed" }, claims, signer))).toEqual(alice);
});

test("a key file without a key is said to have none", async () => {
  using registry = open();
  writeFileSync(registry.jwksPath, '{"keys":[]}');
  registry.clock.pass(1_000);
  await registry.decide(good());
  const warnings = registry.logger.lines.filter(({ level }) => level === "warn");
  expect(warnings.map(({ fields }) => fields["why"])).toEqual(["there is no usable key in it"]);
});

test("a key file that is damaged later leaves the keys in force, with one warning", async () => {
  using registry = open({ rootCertBundlePath: undefined });
  writeFileSync(registry.jwksPath, '{"keys":[');
  registry.clock.pass(1_000);
  expect(await registry.decide(good())).toEqual(alice);
  registry.clock.pass(1_000);
  expect(atOnce(registry.decide(good()))).toEqual(alice);
  expect(registry.logger.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
});

test("the log says why a token was refused, and does not hold it", async () => {
  using registry = open();
  const bearer = good({ aud: "other.example" });
  await registry.decide(bearer);
  expect(String(registry.logger.lines[0]?.fields["why"])).toContain("aud");
  expect(JSON.stringify(registry.logger.lines)).not.toContain(bearer.slice(-40));
});

test("the log says what came and what was expected: one slash in a name is hard to see", async () => {
  using registry = open();
  const issuer = "https://auth.example";
  const audience = "registry.example";
  const cases: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ iss: `${issuer}/` }, `its iss is "${issuer}/", and the configuration says "${issuer}"`],
    [{ aud: ["a", "b"] }, `its aud is ["a","b"], and the configuration says "${audience}"`],
    [{ aud: undefined }, `it has no aud, and the configuration says "${audience}"`],
    [{ exp: startSeconds - 3_600 }, "it expired 3600 seconds ago"],
    [{ nbf: startSeconds + 7_200 }, "it begins to count in 7200 seconds"],
    [{ iss: "x".repeat(9_000) }, `its iss is "${"x".repeat(199)}…, and the configuration says`],
  ];
  for (const [claims, why] of cases) {
    await registry.decide(good(claims));
    expect(String(registry.logger.lines.at(-1)?.fields["why"])).toStartWith(why);
  }
  await registry.decide(
    token({ alg: "RS256", kid: "old" }, claims, { alg: "RS256", key: rsa.privateKey }),
  );
  expect(registry.logger.lines.at(-1)?.fields["why"]).toBe('its kid "old" names no trusted key');
});

test("a start without a usable key, or with an unknown algorithm, fails", () => {
  using folder = temporaryFolder();
  writeFileSync(folder.file("empty.pem"), "");
  const none = { rootCertBundlePath: undefined, jwksPath: undefined };
  expect(() => open(none)).toThrow("no usable key");
  expect(() => open({ ...none, rootCertBundlePath: folder.file("empty.pem") })).toThrow(
    "no usable key",
  );
  expect(() => open({ ...none, jwksPath: folder.file("missing.json") })).toThrow("missing.json");
  expect(() => open({ signingAlgorithms: ["none"] })).toThrow("not a signing algorithm");
});

test("no text in place of a token makes it throw or lets anybody in", async () => {
  using registry = open();
  const part = oneof(
    string({ unit: "binary" }),
    json().map((text) => Buffer.from(text).toString("base64url")),
  );
  await assert(
    asyncProperty(array(part, { maxLength: 4 }), async (parts) => {
      expect((await registry.decide(parts.join("."))).kind).toBe("challenge");
    }),
  );
});
