/**
 * Downloads one body and has the kernel throw it away (MSG_TRUNC, see tcp(7)) instead of copying
 * it: a client that costs next to nothing, so that the server's own limit shows. Prints what came as
 * JSON; the time runs from the connect to the last byte.
 *
 *   bun bench/discard-client.ts PORT PATH
 */
import { dlopen, ptr } from "bun:ffi";

const domainInternet = 2;
const typeStream = 1;
const flagTruncate = 0x20;
const headersBytesMax = 16_384;
const discardBytesMax = 2 ** 26;

const [port = "", path = ""] = process.argv.slice(2);
const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
});

// struct sockaddr_in: family in the machine's order (little-endian), port and address in the
// network's.
const address = Buffer.alloc(16);
address.writeUInt16LE(domainInternet, 0);
address.writeUInt16BE(Number(port), 2);
address.set([127, 0, 0, 1], 4);
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
const buffer = Buffer.alloc(headersBytesMax);

const startedAtMs = performance.now();
const socket = libc.socket(domainInternet, typeStream, 0);
if (libc.connect(socket, ptr(address), address.length) !== 0) throw new Error("cannot connect");
libc.send(socket, ptr(request), request.length, 0);

let headers = "";
let bodyBytes = 0;
while (!headers.includes("\r\n\r\n")) {
  const text = buffer.subarray(0, receive(buffer.length, 0)).toString("latin1");
  headers += text;
  bodyBytes = headers.length - headers.indexOf("\r\n\r\n") - 4;
}
const length = Number(/^content-length: (\d+)\r$/im.exec(headers)?.[1]);
if (!headers.startsWith("HTTP/1.1 200") || Number.isNaN(length)) throw new Error(headers);
while (bodyBytes < length) {
  // The buffer is not written to when the flag is set, so it may be smaller than the size.
  bodyBytes += receive(Math.min(length - bodyBytes, discardBytesMax), flagTruncate);
}
const seconds = (performance.now() - startedAtMs) / 1_000;
console.log(`RESULT ${JSON.stringify({ sizeBytes: bodyBytes, seconds })}`);
process.exit(0);

function receive(sizeBytes: number, flags: number): number {
  const received = Number(libc.recv(socket, ptr(buffer), sizeBytes, flags));
  if (received <= 0) throw new Error(`the connection ended after ${bodyBytes} bytes of the body`);
  return received;
}
