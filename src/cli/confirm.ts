import { createInterface } from "node:readline/promises";

export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };
  readonly stderr: NodeJS.WritableStream;
}

/**
 * Asks a person, and takes nothing but `y` and `yes` for a yes. Without a terminal nobody can be
 * asked: then the answer is no, and it says what to do.
 */
export async function confirm(question: string, { stdin, stderr }: Terminal): Promise<boolean> {
  if (stdin.isTTY !== true) {
    stderr.write("nothing was done: there is no terminal to ask at; use --yes\n");
    return false;
  }
  const reader = createInterface({ input: stdin, output: stderr });
  try {
    // Ctrl-C and the end of the input are no answer.
    const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
    const answer = await Promise.race([reader.question(`${question} [y/N] `), closed]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
