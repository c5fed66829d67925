import { expect, test } from "bun:test";
import { codeOf, messageOf, reasonsOf } from "./errors.ts";

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

test("the reasons are those of all causes, and none is said twice", () => {
  const full = new Error("no space left");
  const write = new Error("writing failed: no space left", { cause: full });
  expect(reasonsOf(new Error("the push stopped", { cause: write }))).toBe(
    "the push stopped: writing failed: no space left",
  );
  expect(reasonsOf(new Error("a", { cause: new Error("b", { cause: full }) }))).toBe(
    "a: b: no space left",
  );
  expect(reasonsOf("thrown")).toBe("thrown");
});
