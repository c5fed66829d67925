import { writeSync } from "node:fs";
import { codeOf } from "../base/errors.ts";

/** Lines gathered for one system call. */
const flushBytes = 32_768;
const flushIntervalMs = 100;
/** What may wait when nobody reads the other end of a pipe; more is dropped, and counted. */
const waitingBytesMax = 8 << 20;

export interface LineWriterOptions {
  /** Told of lines that are lost because nobody takes them. */
  readonly onDropped?: (lines: number) => void;
  /** In the place of the system's: writes what it can, and returns how many bytes that were. */
  readonly writeNow?: (fileDescriptor: number, bytes: Uint8Array) => number;
}

/**
 * Writes lines to a file descriptor in strokes: a line a request must not cost a system call a
 * request. The only owner of standard output and standard error while the server runs.
 */
export class LineWriter {
  readonly #fileDescriptor: number;
  readonly #onDropped: (lines: number) => void;
  readonly #writeNow: (fileDescriptor: number, bytes: Uint8Array) => number;
  #lines: string[] = [];
  #lineBytes = 0;
  /** Encoded, and not yet taken by the other end. */
  #rest = new Uint8Array();
  /** The pipe was full: until the timer has been there, no line tries it again. */
  #isFull = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(fileDescriptor: number, options: LineWriterOptions = {}) {
    this.#fileDescriptor = fileDescriptor;
    this.#onDropped = options.onDropped ?? (() => undefined);
    this.#writeNow = options.writeNow ?? ((descriptor, bytes) => writeSync(descriptor, bytes));
  }

  write(line: string): void {
    if (this.#lineBytes + this.#rest.byteLength > waitingBytesMax) {
      this.#onDropped(1);
      return;
    }
    this.#lines.push(line);
    this.#lineBytes += line.length + 1;
    if (this.#lineBytes >= flushBytes && !this.#isFull) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushIntervalMs);
  }

  /** Writes what waits. Called at the end too, so it does not wait for anything. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isFull = false;
    while (this.#rest.byteLength > 0 || this.#lines.length > 0) {
      if (this.#rest.byteLength === 0) this.#encode();
      try {
        this.#rest = this.#rest.subarray(this.#writeNow(this.#fileDescriptor, this.#rest));
      } catch (error) {
        if (codeOf(error) === "EAGAIN") {
          this.#isFull = true;
          this.#timer = setTimeout(() => this.flush(), flushIntervalMs);
          return;
        }
        // Nobody is there any more.
        this.#onDropped(this.#rest.filter((byte) => byte === newline).length);
        this.#rest = new Uint8Array();
      }
    }
  }

  #encode(): void {
    this.#rest = new TextEncoder().encode(`${this.#lines.join("\n")}\n`);
    this.#lines = [];
    this.#lineBytes = 0;
  }
}

const newline = 0x0a;
