/**
 * A load generator for HEAD requests, since wrk waits for the body that a HEAD answer only
 * announces. Raw sockets and no HTTP library: it counts the ends of answers' headers, checks
 * that each begins with `HTTP/1.1 200` and announces a body, and prints what it counted as JSON.
 *
 *   bun bench/head-client.ts PORT CONNECTIONS SECONDS PATHS-FILE HEADERS-FILE
 */
import { connect } from "bun";

const [port, connections, seconds, pathsFile = "", headersFile = ""] = process.argv.slice(2);
const headers = lines(await Bun.file(headersFile).text()).map((line) => `${line}\r\n`);
const requests = lines(await Bun.file(pathsFile).text()).map((path) =>
  Buffer.from(`HEAD ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers.join("")}\r\n`),
);

const okLine = "HTTP/1.1 200";
/** A server that forgets the headers is quick, and wrong. */
const announcesBody = /\r\ncontent-length: [1-9]/i;
let position = 0;
let completed = 0;
let badStatus = 0;
let socketErrors = 0;
let bytes = 0;
let isOver = false;

const sockets = await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    let pending = "";
    return connect({
      hostname: "127.0.0.1",
      port: Number(port),
      socket: {
        open: send,
        data: (socket, chunk) => {
          bytes += chunk.length;
          pending += chunk.toString("latin1");
          // One request is under way at a time, so an answer's end is the text's end.
          if (!pending.endsWith("\r\n\r\n")) return;
          if (isOver) return;
          if (!pending.startsWith(okLine) || !announcesBody.test(pending)) badStatus += 1;
          completed += 1;
          pending = "";
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

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
