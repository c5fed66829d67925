import { expect, test } from "bun:test";
import { codeOf, messageOf } from "./errors.ts";

test("a failed system call has a code, and nothing else has", () => {
  expect(codeOf(Object.assign(new Error("full"), { code: "ENOSPC" }))).toBe("ENOSPC");
  for (const other of [new Error("no code"), { code: "ENOSPC" }, "ENOSPC", undefined]) {
    expect(codeOf(other)).toBe("");
  }
});

test("an error says its message, and other things are said as they are", () => {
  expect(messageOf(new TypeError("wrong", { cause: new Error("deeper") }))).toBe("wrong");
  expect([messageOf("text"), messageOf(undefined)]).toEqual(["text", "undefined"]);
});
