/**
 * A load generator for HEAD requests, since wrk waits for the body that a HEAD answer only
 * announces. Raw sockets and no HTTP library: it counts the ends of answers' headers, checks
 * that each begins with `HTTP/1.1 200` and one in 16 that it announces a body, and prints what it
 * counted as JSON. Of most answers it looks at 16 bytes: it must not be the limit.
 *
 *   bun bench/head-client.ts PORT CONNECTIONS SECONDS PATHS-FILE HEADERS-FILE
 */
import { connect } from "bun";

const [port, connections, seconds, pathsFile = "", headersFile = ""] = process.argv.slice(2);
const headers = lines(await Bun.file(headersFile).text()).map((line) => `${line}\r\n`);
const requests = lines(await Bun.file(pathsFile).text()).map((path) =>
  Buffer.from(`HEAD ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers.join("")}\r\n`),
);

const okLine = Buffer.from("HTTP/1.1 200");
const end = Buffer.from("\r\n\r\n");
/** A server that forgets the headers is quick, and wrong. */
const announcesBody = /\r\ncontent-length: [1-9]/i;
const announcementEvery = 16;
let position = 0;
let completed = 0;
let badStatus = 0;
let socketErrors = 0;
let bytes = 0;
let isOver = false;

const sockets = await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    let pending: Buffer | undefined;
    return connect({
      hostname: "127.0.0.1",
      port: Number(port),
      socket: {
        open: send,
        data: (socket, chunk) => {
          bytes += chunk.length;
          const answer = pending === undefined ? chunk : Buffer.concat([pending, chunk]);
          // One request is under way at a time, so an answer's end is what came at last.
          pending = isEnded(answer) ? undefined : Buffer.from(answer);
          if (pending !== undefined || isOver) return;
          if (!isRight(answer)) badStatus += 1;
          completed += 1;
          send(socket);
        },
        error: () => {
          socketErrors += 1;
        },
        close: () => {
          if (!isOver) socketErrors += 1;
        },
      },
    });
  }),
);
const startedAtMs = performance.now();
completed = 0;
await Bun.sleep(Number(seconds) * 1_000);
isOver = true;
const durationUs = Math.round((performance.now() - startedAtMs) * 1_000);
for (const socket of sockets) socket.terminate();
console.log(
  `RESULT ${JSON.stringify({ requests: completed, durationUs, bytes, badStatus, socketErrors })}`,
);
process.exit(0);

function send(socket: { write: (bytes: Buffer) => number }): void {
  const request = requests[position % requests.length];
  position += 1;
  if (request !== undefined) socket.write(request);
}

function isEnded(answer: Buffer): boolean {
  return answer.compare(end, 0, end.length, Math.max(0, answer.length - end.length)) === 0;
}

function isRight(answer: Buffer): boolean {
  if (answer.compare(okLine, 0, okLine.length, 0, okLine.length) !== 0) return false;
  return completed % announcementEvery !== 0 || announcesBody.test(answer.toString("latin1"));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
