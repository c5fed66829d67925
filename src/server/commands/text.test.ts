import { expect, test } from "bun:test";
import { actorText } from "./text.ts";

test("what a client says of itself moves no cursor and begins no line", () => {
  const actor = { name: "a\u001b[31m", address: "192.0.2.7", client: "x\u009b2Jy\nby root" };
  expect(actorText(actor)).toBe("by a\uFFFD[31m from 192.0.2.7 with x\uFFFD2Jy\uFFFDby root");
  expect(actorText({ client: "rule\u001b[A" })).toBe("by rule\uFFFD[A");
});
