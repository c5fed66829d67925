import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { confirm } from "./confirm.ts";

/** A terminal at which `typed` is typed. */
async function answerTo(typed: string, isTTY = true) {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const stderr = new PassThrough();
  let shown = "";
  stderr.on("data", (data: Buffer) => {
    shown += data.toString();
  });
  stdin.end(typed);
  return { answer: await confirm("Delete this?", { stdin, stderr }), shown };
}

test("only y and yes are a yes", async () => {
  for (const yes of ["y\n", "Y\n", "yes\n", " YES \n"]) {
    expect([yes, (await answerTo(yes)).answer]).toEqual([yes, true]);
  }
  for (const no of ["\n", "n\n", "no\n", "yesterday\n", ""]) {
    expect([no, (await answerTo(no)).answer]).toEqual([no, false]);
  }
});

test("without a terminal the answer is no, and it says what to do", async () => {
  const { answer, shown } = await answerTo("yes\n", false);
  expect(answer).toBe(false);
  expect(shown).toContain("--yes");
});
