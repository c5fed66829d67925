import { expect, test } from "bun:test";
import { LineWriter } from "./line-writer.ts";

/** A pipe that takes so many bytes at a time, or none, or has nobody at its other end. */
class Pipe {
  takesBytes = Number.POSITIVE_INFINITY;
  failure: string | undefined;
  attempts = 0;
  dropped = 0;
  text = "";
  readonly writer = new LineWriter(1, {
    onDropped: (lines) => {
      this.dropped += lines;
    },
    writeNow: (_, bytes) => {
      this.attempts += 1;
      if (this.failure !== undefined) throw Object.assign(new Error(), { code: this.failure });
      const taken = bytes.subarray(0, this.takesBytes);
      this.text += new TextDecoder().decode(taken);
      return taken.byteLength;
    },
  });
}

const line = (number: number): string => `${number} ${"x".repeat(100)}`;
const linesTo = (end: number): string =>
  Array.from({ length: end }, (_, number) => `${line(number)}\n`).join("");

test("a pipe that takes a little at a time gets every line once, in order", () => {
  const pipe = new Pipe();
  pipe.takesBytes = 7;
  for (let number = 0; number < 1_000; number += 1) pipe.writer.write(line(number));
  pipe.writer.flush();
  expect(pipe.text).toBe(linesTo(1_000));
});

test("a full pipe is not tried for every line, and gets all of them when it is read again", () => {
  const pipe = new Pipe();
  pipe.failure = "EAGAIN";
  for (let number = 0; number < 20_000; number += 1) pipe.writer.write(line(number));
  expect(pipe.attempts).toBe(1);
  pipe.failure = undefined;
  pipe.writer.flush();
  expect(pipe.text).toBe(linesTo(20_000));
  expect(pipe.dropped).toBe(0);
});

test("what a full pipe keeps waiting has an end, and what is dropped is counted", () => {
  const pipe = new Pipe();
  pipe.failure = "EAGAIN";
  const large = "x".repeat(1 << 20);
  for (let count = 0; count < 20; count += 1) pipe.writer.write(large);
  pipe.failure = undefined;
  pipe.writer.flush();
  const written = pipe.text.split("\n").length - 1;
  expect(written).toBe(8);
  expect(pipe.dropped).toBe(20 - written);
});

test("lines for nobody are dropped and counted", () => {
  const pipe = new Pipe();
  pipe.failure = "EPIPE";
  for (let number = 0; number < 3; number += 1) pipe.writer.write(line(number));
  pipe.writer.flush();
  expect(pipe.dropped).toBe(3);
  pipe.failure = undefined;
  pipe.writer.write("again");
  pipe.writer.flush();
  expect(pipe.text).toBe("again\n");
});
