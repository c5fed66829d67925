import { expect, test } from "bun:test";
import { createSecretKey } from "node:crypto";
import {
  authority,
  base,
  certificate,
  claims,
  encode,
  good,
  invalid,
  jwkOf,
  mallory,
  open,
  rs256,
  rsa,
  service,
  startSeconds,
  token,
} from "./token-support.ts";

const forgedRsa = { alg: "RS256", key: mallory.privateKey };
const rsaPem = rsa.publicKey.export({ type: "spki", format: "pem" });
const foreign = certificate("token service", { isAuthority: true });
const foreignSigner = { alg: "ES256", key: foreign.privateKey };
const [goodHead, goodBody, goodSignature] = good().split(".");

/** Whatever should not be let in, and would be, in a registry with the hole that it looks for. */
const attacks: readonly (readonly [name: string, bearer: string])[] = [
  ["alg none", `${encode({ alg: "none" })}.${goodBody}.`],
  ["alg none with a signature", token({ alg: "none", kid: "rsa" }, claims, rs256)],
  ["alg None", token({ alg: "None", kid: "rsa" }, claims, rs256)],
  ["no alg", token({ kid: "rsa" }, claims, rs256)],
  ["alg that is a list", token({ alg: ["RS256"], kid: "rsa" }, claims, rs256)],
  [
    "HS256 with the public key's PEM as the secret",
    token({ alg: "HS256", kid: "rsa" }, claims, {
      alg: "HS256",
      key: createSecretKey(Buffer.from(rsaPem)),
    }),
  ],
  [
    "HS256 with an empty secret",
    token({ alg: "HS256", kid: "rsa" }, claims, {
      alg: "HS256",
      key: createSecretKey(Buffer.alloc(0)),
    }),
  ],
  ["a trusted kid and another's key", token({ alg: "RS256", kid: "rsa" }, claims, forgedRsa)],
  [
    "a trusted kid and an embedded jwk (CVE-2025-24976)",
    token({ alg: "RS256", kid: "rsa", jwk: jwkOf(mallory.publicKey, "rsa") }, claims, forgedRsa),
  ],
  [
    "an embedded jwk alone",
    token({ alg: "RS256", jwk: jwkOf(mallory.publicKey, "x") }, claims, forgedRsa),
  ],
  [
    "an embedded jwk of a trusted key, and no kid",
    token({ alg: "RS256", jwk: jwkOf(rsa.publicKey, "rsa") }, claims, rs256),
  ],
  [
    "a trusted kid and another's x5c",
    token({ alg: "ES256", kid: "p256", x5c: [foreign.base64] }, claims, foreignSigner),
  ],
  ["another's x5c alone", token({ alg: "ES256", x5c: [foreign.base64] }, claims, foreignSigner)],
  [
    "another's x5c with the real root behind",
    token({ alg: "ES256", x5c: [foreign.base64, authority.base64] }, claims, foreignSigner),
  ],
  [
    "the real x5c and another's key",
    token({ alg: "ES256", x5c: [service.base64] }, claims, foreignSigner),
  ],
  [
    "the real x5c and an algorithm that is not its key's",
    token({ alg: "RS256", x5c: [service.base64] }, claims, forgedRsa),
  ],
  ["an x5c that is text", token({ alg: "ES256", x5c: service.base64 }, claims, foreignSigner)],
  ["an empty x5c", token({ alg: "ES256", x5c: [] }, claims, foreignSigner)],
  ["jku", token({ alg: "RS256", kid: "m", jku: "http://127.0.0.1:1/jwks" }, claims, forgedRsa)],
  [
    "jku with a trusted kid",
    token({ alg: "RS256", kid: "rsa", jku: "http://127.0.0.1:1/jwks" }, claims, forgedRsa),
  ],
  ["x5u", token({ alg: "RS256", kid: "rsa", x5u: "file:///etc/passwd" }, claims, forgedRsa)],
  ["no kid", token({ alg: "RS256" }, claims, rs256)],
  ["an empty kid", token({ alg: "RS256", kid: "" }, claims, rs256)],
  ["a kid that is a path", token({ alg: "RS256", kid: "../../dev/null" }, claims, rs256)],
  ["a kid that is SQL", token({ alg: "RS256", kid: "x' UNION SELECT 'rsa" }, claims, rs256)],
  ["a kid that objects have", token({ alg: "RS256", kid: "__proto__" }, claims, rs256)],
  ["a kid that is a list", token({ alg: "RS256", kid: ["rsa"] }, claims, rs256)],
  ["a kid of another key type", token({ alg: "RS256", kid: "p256" }, claims, rs256)],
  [
    "an unknown critical extension",
    token({ alg: "RS256", kid: "rsa", crit: ["x"], x: 1 }, claims, rs256),
  ],
  [
    "a known critical extension",
    token({ alg: "RS256", kid: "rsa", crit: ["b64"], b64: true }, claims, rs256),
  ],
  ["an empty crit", token({ alg: "RS256", kid: "rsa", crit: [] }, claims, rs256)],
  ["a last alg that is none", token('{"alg":"RS256","kid":"rsa","alg":"none"}', claims, rs256)],
  ["a last kid that is unknown", token('{"alg":"RS256","kid":"rsa","kid":"m"}', claims, rs256)],
  ["a last issuer that is wrong", signedText({ iss: "https://evil.example" })],
  ["a last audience that is wrong", signedText({ aud: "other.example" })],
  ["a last end in the past", signedText({ exp: 1 })],
  ["another issuer", good({ iss: "https://auth.example.evil" })],
  ["an issuer that differs in a slash", good({ iss: "https://auth.example/" })],
  ["an issuer that is a list", good({ iss: ["https://auth.example"] })],
  ["no issuer", good({ iss: undefined })],
  ["another audience", good({ aud: "other.example" })],
  ["audiences that leave us out", good({ aud: ["other.example", "registry.example.evil"] })],
  ["no audience", good({ aud: undefined })],
  ["an audience that is an object", good({ aud: { 0: "registry.example" } })],
  ["an end in the past", good({ exp: startSeconds - 60 })],
  ["no end", good({ exp: undefined })],
  ["an end that is text", good({ exp: String(claims.exp) })],
  ["an end that is not a number", good({ exp: null })],
  ["a beginning in the future", good({ nbf: startSeconds + 61 })],
  ["a beginning that is text", good({ nbf: "0" })],
  ["a subject that is an object", good({ sub: { name: "alice" } })],
  ["a payload that is a list", token({ alg: "RS256", kid: "rsa" }, "[]", rs256)],
  ["a payload that is text", token({ alg: "RS256", kid: "rsa" }, "not JSON", rs256)],
  ["a header that is text", token("not JSON", claims, rs256)],
  ["a header that is null", token("null", claims, rs256)],
  ["no signature", `${goodHead}.${goodBody}.`],
  ["two parts", `${goodHead}.${goodBody}`],
  ["four parts", `${good()}.AAAA`],
  ["an end cut off", good().slice(0, -8)],
  ["a changed payload", `${goodHead}.${encode({ ...claims, sub: "root" })}.${goodSignature}`],
  ["padding", `${good()}==`],
  ["base64 of the other alphabet", `${goodHead}.${goodBody}.${goodSignature?.slice(0, -2)}+/`],
  ["white space inside", `${goodHead}. ${goodBody}.${goodSignature}`],
  ["a second token", `${good()}, Bearer ${good()}`],
  ["junk", "x"],
  ["a token without end", good({ padding: "x".repeat(20_000) })],
  ["dots without end", ".".repeat(10_000)],
];

/** Properly signed, with the right claims first and `last` once more behind them. */
function signedText(last: object): string {
  const text = `${JSON.stringify(claims).slice(0, -1)},${JSON.stringify(last).slice(1)}`;
  return token({ alg: "RS256", kid: "rsa" }, text, rs256);
}

test.each(attacks)("refused: %s", async (_name, bearer) => {
  using registry = open();
  expect(await registry.decide(bearer)).toEqual(invalid);
  // Not even what needs no right at all.
  expect((await registry.decide(bearer, base)).kind).toBe("challenge");
});

test.each([
  ["text", "repository:team/app:pull"],
  ["an object", { type: "repository", name: "team/app", actions: ["pull"] }],
  ["a list of text", ["repository:team/app:pull"]],
  ["a list with null", [null]],
  ["actions that are text", [{ type: "repository", name: "team/app", actions: "pull" }]],
  ["actions that are numbers", [{ type: "repository", name: "team/app", actions: [1] }]],
  ["no actions", [{ type: "repository", name: "team/app" }]],
  ["a name that is a list", [{ type: "repository", name: ["team/app"], actions: ["pull"] }]],
  ["a type that runs into the name", [{ type: "repository:team", name: "x", actions: ["pull"] }]],
])("refused: a claim access that is %s", async (_name, access) => {
  using registry = open();
  expect(await registry.decide(good({ access }))).toEqual(invalid);
});
