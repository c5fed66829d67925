import { codeOf } from "../base/errors.ts";

/**
 * Who has closed standard output (`| head -1`) has seen enough: the command goes on, and ends as it
 * would have. Called once, before anything is written.
 */
export function allowClosedOutput(): void {
  process.stdout.on("error", (error) => {
    if (codeOf(error) !== "EPIPE") throw error;
  });
}

/** One line on standard output. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}
