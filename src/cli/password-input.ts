/** Where a password is read from: piped in, or typed by a person who is asked for it. */
export interface PasswordSource extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean | undefined;
  setRawMode?: ((isRaw: boolean) => unknown) | undefined;
}

export interface TextOutput {
  write(text: string): unknown;
}

export interface Streams {
  readonly stdin: PasswordSource;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
}

/** Longer than any password that can be used; then the rest is not waited for. */
const inputLengthMax = 4_096;

const enter = new Set(["\r", "\n", "\u0004"]);
const interrupt = "\u0003";
const erase = new Set(["\u0008", "\u007f"]);

/**
 * Reads passwords one after another from the same stream.
 *
 * A terminal is asked with `question` on stderr and shows nothing of what is typed. Anything
 * else is read up to its first line end, and not asked twice.
 */
export class PasswordReader {
  readonly #streams: Streams;
  readonly #characters: AsyncIterator<string>;

  constructor(streams: Streams) {
    this.#streams = streams;
    this.#characters = charactersOf(streams.stdin);
  }

  get isTerminal(): boolean {
    return this.#streams.stdin.isTTY === true;
  }

  /** The password, or undefined when the person gave up with Ctrl-C. */
  async read(question: string): Promise<string | undefined> {
    if (!this.isTerminal) return this.#readLine();
    const { stdin, stderr } = this.#streams;
    stderr.write(question);
    stdin.setRawMode?.(true);
    try {
      return await this.#readLine();
    } finally {
      stdin.setRawMode?.(false);
      stderr.write("\n");
    }
  }

  /** Lets the stream go, so that the program can end. */
  async close(): Promise<void> {
    await this.#characters.return?.();
  }

  async #readLine(): Promise<string | undefined> {
    const line: string[] = [];
    while (line.length < inputLengthMax) {
      const next = await this.#characters.next();
      if (next.done === true || enter.has(next.value)) break;
      if (this.isTerminal && next.value === interrupt) return undefined;
      if (this.isTerminal && erase.has(next.value)) line.pop();
      else line.push(next.value);
    }
    return line.join("");
  }
}

async function* charactersOf(source: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of source) {
    const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    yield* text;
  }
}
