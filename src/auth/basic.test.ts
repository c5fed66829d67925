import { expect, test } from "bun:test";
import { assert, property, string } from "fast-check";
import { parseBasic } from "./basic.ts";

function encoded(text: string | Uint8Array): string {
  return Buffer.from(text).toString("base64");
}

const accepted: readonly (readonly [header: string, user: string, password: string])[] = [
  [`Basic ${encoded("alice:secret")}`, "alice", "secret"],
  [`basic ${encoded("alice:secret")}`, "alice", "secret"],
  [`BASIC  ${encoded("alice:secret")}`, "alice", "secret"],
  [`Basic ${encoded("alice:a:b::c")}`, "alice", "a:b::c"],
  [`Basic ${encoded("alice:")}`, "alice", ""],
  [`Basic ${encoded("ålice:пароль 密码")}`, "ålice", "пароль 密码"],
];

test.each(accepted)("%p is user %p with password %p", (header, user, password) => {
  expect(parseBasic(header)).toEqual({ user, password });
});

const refused: readonly (readonly [why: string, header: string])[] = [
  ["no header text", ""],
  ["no credentials", "Basic"],
  ["empty credentials", "Basic "],
  ["another scheme", `Bearer ${encoded("alice:secret")}`],
  ["a scheme that only begins so", `Basically ${encoded("alice:secret")}`],
  ["a tab between", `Basic\t${encoded("alice:secret")}`],
  ["no padding", `Basic ${encoded("alice:secretx").replace(/=+$/, "")}`],
  ["too much padding", `Basic ${encoded("alice:secret")}==`],
  ["white space inside", `Basic ${encoded("alice:secret").replace(/^..../, "$& ")}`],
  ["white space behind", `Basic ${encoded("alice:secret")} `],
  ["a second value", `Basic ${encoded("alice:secret")}, Basic ${encoded("bob:secret")}`],
  ["base64url", `Basic ${encoded("a:???>>>").replaceAll("/", "_").replaceAll("+", "-")}`],
  ["set bits behind the last byte", "Basic YTpiY2R="],
  ["no colon", `Basic ${encoded("alice")}`],
  ["no user", `Basic ${encoded(":secret")}`],
  ["bytes that are not UTF-8", `Basic ${encoded(new Uint8Array([0x61, 0x3a, 0xff]))}`],
  ["a NUL in the password", `Basic ${encoded("alice:sec\0ret")}`],
  ["a line break in the user", `Basic ${encoded("ali\nce:secret")}`],
  ["a DEL in the password", `Basic ${encoded("alice:\u007f")}`],
  ["a header without end", `Basic ${encoded(`alice:${"x".repeat(5_000)}`)}`],
];

test.each(refused)("%s: refused", (_why, header) => {
  expect(parseBasic(header)).toBeUndefined();
});

test("whatever a client may write comes back as it was written", () => {
  const text = string({ unit: "grapheme", maxLength: 60 })
    // oxlint-disable-next-line no-control-regex -- these are refused, as another test shows
    .filter((value) => !/[\u0000-\u001f\u007f]/.test(value));
  const user = text.filter((value) => value !== "" && !value.includes(":"));
  assert(
    property(user, text, (user, password) => {
      expect(parseBasic(`Basic ${encoded(`${user}:${password}`)}`)).toEqual({ user, password });
    }),
  );
});

test("no header at all makes it throw", () => {
  assert(
    property(string({ unit: "binary" }), (junk) => {
      parseBasic(junk);
      parseBasic(`Basic ${junk}`);
    }),
  );
});
