import { expect, test } from "bun:test";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type Random, systemRandom } from "../base/random.ts";
import { FakeClock, recordingLogger, temporaryFolder } from "../base/test-support.ts";
import { RegistryError } from "../oci/problems.ts";
import type { Authenticator, Decision } from "./authenticator.ts";
import { hashBcrypt, parseBcryptHash, verifyBcrypt } from "./bcrypt.ts";
import { type HtpasswdOptions, openHtpasswdAuthenticator } from "./htpasswd.ts";
import { atOnce, basic, withAuthorization } from "./test-support.ts";

const [aliceLine, bobLine] = await Promise.all([line("alice", "secret"), line("bob", "hunter2")]);
const challenge: Decision = {
  kind: "challenge",
  challenge: 'Basic realm="the registry"',
  reason: "unauthorized",
};

async function line(user: string, password: string): Promise<string> {
  return `${user}:${await hashBcrypt(password, 4)}\n`;
}

async function open(
  text: string | undefined,
  options: Partial<HtpasswdOptions> = {},
): Promise<
  Disposable & {
    auth: Authenticator;
    clock: FakeClock;
    path: string;
    logger: ReturnType<typeof recordingLogger>;
  }
> {
  const folder = temporaryFolder();
  const path = folder.file("htpasswd");
  if (text !== undefined) writeFileSync(path, text);
  const clock = new FakeClock();
  const logger = recordingLogger();
  const auth = await openHtpasswdAuthenticator({
    realm: "the registry",
    path,
    clock,
    random: systemRandom,
    logger,
    ...options,
  });
  return { auth, clock, path, logger, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

test("who logs in may do everything", async () => {
  using registry = await open(aliceLine);
  expect(await registry.auth.decide(basic("alice", "secret"), [{ kind: "catalog" }])).toEqual({
    kind: "granted",
    identity: { kind: "user", name: "alice" },
  });
});

test.each([
  ["no credentials", withAuthorization(undefined)],
  ["another scheme", withAuthorization("Bearer abc")],
  ["junk", withAuthorization("Basic !!!")],
  ["an empty password", basic("alice", "")],
  ["a password longer than bcrypt reads", basic("alice", `secret${"x".repeat(67)}`)],
])("%s: challenged without any bcrypt", async (_name, credentials) => {
  using registry = await open(aliceLine);
  expect(atOnce(registry.auth.decide(credentials, []))).toEqual(challenge);
});

test.each([
  ["a wrong password", basic("alice", "Secret")],
  ["an unknown user", basic("mallory", "secret")],
  ["a name in another case", basic("Alice", "secret")],
  ["somebody else's password", basic("bob", "secret")],
])("%s: challenged, after bcrypt was paid", async (_name, credentials) => {
  using registry = await open(aliceLine + bobLine);
  const first = registry.auth.decide(credentials, []);
  expect(first).toBeInstanceOf(Promise);
  expect(await first).toEqual(challenge);
  // A failure is not remembered.
  const second = registry.auth.decide(credentials, []);
  expect(second).toBeInstanceOf(Promise);
  expect(await second).toEqual(challenge);
});

test("the first 72 bytes of a longer password are not the password", async () => {
  const prefix = "x".repeat(72);
  using registry = await open(await line("alice", prefix));
  expect((await registry.auth.decide(basic("alice", prefix), [])).kind).toBe("granted");
  expect(atOnce(registry.auth.decide(basic("alice", `${prefix}y`), []))).toEqual(challenge);
});

test("a verified login is remembered for its time, and then paid again", async () => {
  using registry = await open(aliceLine);
  const login = basic("alice", "secret");
  await registry.auth.decide(login, []);
  registry.clock.pass(59_999);
  expect(atOnce(registry.auth.decide(login, [])).kind).toBe("granted");
  // A wrong password for the same user finds nothing remembered.
  expect(await registry.auth.decide(basic("alice", "wrong"), [])).toEqual(challenge);
  registry.clock.pass(1);
  expect(registry.auth.decide(login, [])).toBeInstanceOf(Promise);
});

test("with a time of 0 nothing is remembered", async () => {
  using registry = await open(aliceLine, { cacheTtlMs: 0 });
  for (let request = 0; request < 2; request += 1) {
    const decision = registry.auth.decide(basic("alice", "secret"), []);
    expect(decision).toBeInstanceOf(Promise);
    expect((await decision).kind).toBe("granted");
  }
});

test("a changed file counts within a second, for remembered logins too", async () => {
  using registry = await open(aliceLine + bobLine);
  const login = basic("alice", "secret");
  await registry.auth.decide(login, []);
  await registry.auth.decide(basic("bob", "hunter2"), []);

  writeFileSync(registry.path, (await line("alice", "new")) + bobLine);
  registry.clock.pass(1_000);
  expect(await registry.auth.decide(login, [])).toEqual(challenge);
  expect((await registry.auth.decide(basic("alice", "new"), [])).kind).toBe("granted");
  // Bob's line is the same, so nothing has to be verified again.
  expect(atOnce(registry.auth.decide(basic("bob", "hunter2"), [])).kind).toBe("granted");

  writeFileSync(registry.path, bobLine);
  registry.clock.pass(1_000);
  expect(await registry.auth.decide(basic("alice", "new"), [])).toEqual(challenge);
});

test("a file that is gone for a while leaves the last one in force, with one warning", async () => {
  using registry = await open(aliceLine);
  rmSync(registry.path);
  for (let second = 0; second < 3; second += 1) {
    registry.clock.pass(1_000);
    expect((await registry.auth.decide(basic("alice", "secret"), [])).kind).toBe("granted");
  }
  expect(registry.logger.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
  writeFileSync(registry.path, bobLine);
  registry.clock.pass(1_000);
  expect((await registry.auth.decide(basic("bob", "hunter2"), [])).kind).toBe("granted");
});

test("lines that are not bcrypt are reported by number and let nobody in", async () => {
  using registry = await open(`${aliceLine}plain:secret\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n`);
  const warnings = registry.logger.lines.filter(({ level }) => level === "warn");
  expect(warnings.map(({ fields }) => fields["line"])).toEqual([2, 3]);
  expect(await registry.auth.decide(basic("plain", "secret"), [])).toEqual(challenge);
  expect(await registry.auth.decide(basic("sha", "secret"), [])).toEqual(challenge);
});

test("of many lines that are not bcrypt the log names the first, and how many there are", async () => {
  using registry = await open("alice:plain\n".repeat(1_000));
  const lines = registry.logger.lines.filter(({ message }) => message.includes("plain text"));
  expect(lines.map(({ fields }) => fields["line"])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(registry.logger.lines[10]?.fields["count"]).toBe(990);
  expect(registry.logger.lines).toHaveLength(12);
});

test("the same login at once is verified once", async () => {
  using registry = await open(aliceLine);
  const first = registry.auth.decide(basic("alice", "secret"), []);
  expect(registry.auth.decide(basic("alice", "secret"), [])).toBe(first);
  expect(registry.auth.decide(basic("alice", "other"), [])).not.toBe(first);
  expect((await first).kind).toBe("granted");
});

test("a flood of logins is refused with 429 while a remembered one goes on", async () => {
  using registry = await open(aliceLine, { maxVerifications: 2, maxWaiting: 3 });
  await registry.auth.decide(basic("alice", "secret"), []);

  const flood = Array.from({ length: 8 }, (_, index) => {
    const user = index % 2 === 0 ? "alice" : "mallory";
    return Promise.resolve(registry.auth.decide(basic(user, `guess ${index}`), []));
  });
  expect(atOnce(registry.auth.decide(basic("alice", "secret"), [])).kind).toBe("granted");

  const answers = await Promise.allSettled(flood);
  const refused = answers.filter((answer) => answer.status === "rejected");
  expect(refused).toHaveLength(3);
  for (const { reason } of refused) {
    expect(reason).toBeInstanceOf(RegistryError);
    expect(reason.reason).toBe("tooManyLogins");
    expect(reason.headers["Retry-After"]).toMatch(/^[1-9][0-9]*$/);
  }
  // The queue is empty again: the next login is taken.
  expect(await registry.auth.decide(basic("mallory", "guess"), [])).toEqual(challenge);
});

test("a flood from one network is refused in favour of who comes from another", async () => {
  const users = ["anna", "bea", "carla"];
  const text = (await Promise.all(users.map((user) => line(user, user)))).join("");
  using registry = await open(text, { maxVerifications: 1, maxWaiting: 4 });
  const guesses = Array.from({ length: 9 }, (_, index) =>
    Promise.resolve(
      registry.auth.decide(basic("anna", `guess ${index}`, `2001:db8:0:7::${index}`), []),
    ).then(
      () => "verified",
      () => "refused",
    ),
  );
  const order: string[] = [];
  const others = users.map(async (user, index) => {
    const { kind } = await registry.auth.decide(basic(user, user, `198.51.100.${index}`), []);
    order.push(`${user} ${kind}`);
  });
  await Promise.all(others);
  expect(order).toEqual(["anna granted", "bea granted", "carla granted"]);
  const refused = (await Promise.all(guesses)).filter((answer) => answer === "refused");
  expect(refused).toHaveLength(7);
});

test("a missing file is created with a user whose password is in the log once", async () => {
  const random: Random = { bytes: (count) => new Uint8Array(count).fill(7), uuid: () => "" };
  using registry = await open(undefined, { random });
  expect(statSync(registry.path).mode & 0o777).toBe(0o600);

  const told = registry.logger.lines.filter(({ fields }) => "password" in fields);
  expect(told).toHaveLength(1);
  expect(told[0]?.level).toBe("warn");
  expect(told[0]?.fields["user"]).toBe("docker");
  const password = String(told[0]?.fields["password"]);
  expect(password).toHaveLength(32);
  expect((await registry.auth.decide(basic("docker", password), [])).kind).toBe("granted");

  const hash = parseBcryptHash(readFileSync(registry.path, "utf8").trim().slice("docker:".length));
  expect(hash?.cost).toBe(10);
  expect(hash !== undefined && (await verifyBcrypt(password, hash))).toBe(true);
});

test("a file that exists is not touched, even an empty one", async () => {
  using registry = await open("");
  expect(readFileSync(registry.path, "utf8")).toBe("");
  expect(registry.logger.lines.some(({ fields }) => "password" in fields)).toBe(false);
  expect(await registry.auth.decide(basic("docker", "docker"), [])).toEqual(challenge);
});

test("a file that cannot be created stops the start", async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.file("file"), "");
  const opening = openHtpasswdAuthenticator({
    realm: "the registry",
    path: folder.file("file/htpasswd"),
    clock: new FakeClock(),
    random: systemRandom,
    logger: recordingLogger(),
  });
  const failure = await opening.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  expect(String(failure)).toContain("htpasswd");
});
