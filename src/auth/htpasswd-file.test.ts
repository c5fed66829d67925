import { expect, test } from "bun:test";
import { assert, property, string } from "fast-check";
import { costOfUnknown, parseHtpasswd } from "./htpasswd-file.ts";

const tail = "abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
const hash = `$2y$05$${tail}`;

test("users, comments and empty lines are told apart, with any line end", () => {
  const file = parseHtpasswd(
    `\uFEFF# staff\r\nalice:${hash}\r\n\r\n  bob:${hash}  \n#carol:${hash}\n`,
  );
  expect([...file.users.keys()]).toEqual(["alice", "bob"]);
  expect(file.complaints).toEqual([]);
});

test("an empty file has no users", () => {
  expect(parseHtpasswd("").users.size).toBe(0);
});

const unusable: readonly (readonly [line: string, word: string])[] = [
  ["alice:$apr1$abcdefgh$0123456789abcdefghijkl", "MD5"],
  ["alice:$1$abcdefgh$0123456789abcdefghijkl", "MD5"],
  ["alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1"],
  ["alice:$5$salt$hash", "SHA-256"],
  ["alice:$6$salt$hash", "SHA-512"],
  ["alice:rqXexS6ZhobKA", "DES"],
  ["alice:$argon2id$v=19$m=65536", "argon2"],
  ["alice:$2y$05$tooshort", "damaged"],
  [`alice:$2x$05$${tail}`, "unknown kind"],
  [`alice:$2y$18$${tail}`, "of cost 18"],
  [`alice:$2y$31$${tail}`, "of cost 31"],
  ["alice:correct horse", "plain text"],
  ["alice", "user name"],
  ["alice:", "user name"],
  [`:${hash}`, "user name"],
];

test.each(unusable)("%p is reported and nobody gets in by it", (line, word) => {
  const file = parseHtpasswd(`# one\n${line}\nbob:${hash}\n`);
  expect([...file.users.keys()]).toEqual(["bob"]);
  expect(file.complaints).toHaveLength(1);
  expect(file.complaints[0]?.line).toBe(2);
  expect(file.complaints[0]?.why).toContain(word);
  // A line in plain text is a password: the log must not get it.
  expect(JSON.stringify(file.complaints)).not.toContain("horse");
});

test("of two lines for a user the last counts, and the log hears of it", () => {
  const file = parseHtpasswd(`alice:$2y$06$${tail}\nalice:${hash}\n`);
  expect(file.users.get("alice")?.cost).toBe(5);
  expect(file.complaints[0]?.line).toBe(2);
});

test("the last line of a user counts when nobody can log in by it, too", () => {
  for (const last of ["alice:!", "alice:", "alice:$apr1$abcdefgh$0123456789abcdefghijkl"]) {
    expect(parseHtpasswd(`alice:${hash}\n${last}\n`).users.size).toBe(0);
  }
});

test("a name like a property of objects is a name", () => {
  const file = parseHtpasswd(`__proto__:${hash}\n`);
  expect(file.users.has("__proto__")).toBe(true);
  expect(file.users.has("constructor")).toBe(false);
});

test("who is unknown costs what users cost, in their proportion, and always the same", () => {
  const lines = [5, 10, 10, 10].map((cost, index) => {
    const digits = String(cost).padStart(2, "0");
    return `user${index}:$2y$${digits}$${tail}`;
  });
  const file = parseHtpasswd(lines.join("\n"));
  const names = Array.from({ length: 400 }, (_, index) => `nobody${index}`);
  const costs = names.map((name) => costOfUnknown(name, file));
  expect(new Set(costs)).toEqual(new Set([5, 10]));
  const cheap = costs.filter((cost) => cost === 5).length;
  expect(cheap).toBeGreaterThan(60);
  expect(cheap).toBeLessThan(140);
  const more = parseHtpasswd([...lines, `user4:$2y$10$${tail}`].join("\n"));
  const changed = names.filter((name, index) => costOfUnknown(name, more) !== costs[index]);
  expect(changed.length).toBeLessThan(60);
  expect(costOfUnknown("nobody", parseHtpasswd(""))).toBe(10);
});

test("no text makes it throw", () => {
  assert(property(string({ unit: "binary" }), (text) => void parseHtpasswd(text)));
});
