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
  readonly #chunks: AsyncIterator<Uint8Array | string>;
  /** Bytes that are no UTF-8 become U+FFFD, which a new password may not have. */
  readonly #decoder = new TextDecoder("utf-8");
  /** What has come and was not read yet. */
  #characters: string[] = [];

  constructor(streams: Streams) {
    this.#streams = streams;
    this.#chunks = streams.stdin[Symbol.asyncIterator]();
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
    await this.#chunks.return?.();
  }

  async #readLine(): Promise<string | undefined> {
    const line: string[] = [];
    while (line.length < inputLengthMax) {
      const character = await this.#next();
      if (character === undefined || enter.has(character)) break;
      if (this.isTerminal && character === interrupt) return undefined;
      if (this.isTerminal && erase.has(character)) line.pop();
      else line.push(character);
    }
    return line.join("");
  }

  async #next(): Promise<string | undefined> {
    while (this.#characters.length === 0) {
      const chunk = await this.#chunks.next();
      this.#characters = Array.from(
        chunk.done === true ? this.#decoder.decode() : this.#textOf(chunk.value),
      );
      if (chunk.done === true) break;
    }
    return this.#characters.shift();
  }

  #textOf(value: Uint8Array | string): string {
    return typeof value === "string" ? value : this.#decoder.decode(value, { stream: true });
  }
}
