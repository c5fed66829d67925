import { writeSync } from "node:fs";
import { codeOf } from "../base/errors.ts";

/** Lines gathered for one system call. */
const flushBytes = 32_768;
const flushIntervalMs = 100;
/** What may wait when nobody reads the other end of a pipe; more is dropped, and counted. */
const waitingBytesMax = 8 << 20;

/**
 * Writes lines to a file descriptor in strokes: a line a request must not cost a system call a
 * request. The only owner of standard output and standard error while the server runs.
 */
export class LineWriter {
  readonly #fileDescriptor: number;
  #lines: string[] = [];
  #waitingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Lines lost because the other end did not read. */
  dropped = 0;

  constructor(fileDescriptor: number) {
    this.#fileDescriptor = fileDescriptor;
  }

  write(line: string): void {
    if (this.#waitingBytes > waitingBytesMax) {
      this.dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length + 1;
    if (this.#waitingBytes >= flushBytes) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushIntervalMs);
  }

  /** Writes what waits. Called at the end too, so it does not wait for anything. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    let rest = new TextEncoder().encode(`${this.#lines.join("\n")}\n`);
    this.#lines = [];
    this.#waitingBytes = 0;
    while (rest.byteLength > 0) {
      try {
        rest = rest.subarray(writeSync(this.#fileDescriptor, rest));
      } catch (error) {
        this.#keep(rest, error);
        return;
      }
    }
  }

  #keep(rest: Uint8Array, error: unknown): void {
    // A full pipe: tried again later. Anything else (nobody there): the lines are lost.
    const isFull = codeOf(error) === "EAGAIN";
    if (!isFull) {
      this.dropped += 1;
      return;
    }
    this.#lines.unshift(new TextDecoder().decode(rest).replace(/\n$/, ""));
    this.#waitingBytes += rest.byteLength;
    this.#timer ??= setTimeout(() => this.flush(), flushIntervalMs);
  }
}
