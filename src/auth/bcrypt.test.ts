import { expect, test } from "bun:test";
import {
  dummyHash,
  hashBcrypt,
  isUsablePassword,
  parseBcryptHash,
  verifyBcrypt,
} from "./bcrypt.ts";

function isMatch(password: string, text: string): Promise<boolean> {
  const hash = parseBcryptHash(text);
  if (hash === undefined) throw new Error(`not a bcrypt hash: ${text}`);
  return verifyBcrypt(password, hash);
}

// The first was made by crypt(3) of libxcrypt, the others are test vectors of its author.
const foreign: readonly (readonly [password: string, hash: string])[] = [
  ["secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"],
  ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
];

test.each(foreign)(
  "the hash of %p that another program made is verified",
  async (password, hash) => {
    expect(await isMatch(password, hash)).toBe(true);
    expect(await isMatch(`${password}x`, hash)).toBe(false);
    expect(await isMatch(password.slice(1), hash)).toBe(false);
  },
);

test.each(["$2y$", "$2a$", "$2b$"])("prefix %s is accepted", async (prefix) => {
  const hash = await hashBcrypt("secret", 4);
  expect(await isMatch("secret", prefix + hash.slice(4))).toBe(true);
});

test("a new hash has the prefix of htpasswd and the cost that was asked for", async () => {
  const hash = await hashBcrypt("secret", 5);
  expect(hash).toMatch(/^\$2y\$05\$/);
  expect(parseBcryptHash(hash)?.cost).toBe(5);
});

test("bits that some programs set behind salt and hash do not matter, as in crypt(3)", async () => {
  const hash = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
  // u is 48, so v to z differ from it in the last four bits only; a is 28, b, c, d in two.
  const untidy = `${hash.slice(0, 28)}x${hash.slice(29, -1)}c`;
  expect(await isMatch("secret", untidy)).toBe(true);
  expect(await isMatch("secreT", untidy)).toBe(false);
});

const damaged = [
  "",
  "$2y$",
  "$2x$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
  "$2$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
  "$2y$03$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
  "$2y$32$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
  "$2y$5$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
  "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0",
  "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0aa",
  "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0+",
  "$apr1$abcdefgh$0123456789abcdefghijkl",
];

test.each(damaged)("%p is no bcrypt hash", (text) => {
  expect(parseBcryptHash(text)).toBeUndefined();
});

test.each([4, 5, 6, 10])("the dummy of cost %d is verified and matches nothing", async (cost) => {
  const dummy = dummyHash(cost);
  expect(parseBcryptHash(dummy.text)).toEqual(dummy);
  expect(await verifyBcrypt("secret", dummy)).toBe(false);
});

const passwords: readonly (readonly [isUsable: boolean, password: string])[] = [
  [true, "x"],
  [true, "x".repeat(72)],
  [true, "ü".repeat(36)],
  [false, ""],
  [false, "x".repeat(73)],
  [false, "ü".repeat(37)],
  [false, "x\0y"],
];

test.each(passwords)("usable %p: %p", (isUsable, password) => {
  expect(isUsablePassword(password)).toBe(isUsable);
});
