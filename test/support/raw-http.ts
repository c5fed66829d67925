/**
 * HTTP/1.1 written by hand on a TCP socket, for what `fetch` refuses to send or cannot show: bad
 * request lines, hostile headers, bodies that are too short, and the exact bytes of an answer.
 */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case, in the order in which they came; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** Everything as it came, head and body, one character a byte. */
  readonly wholeText: string;
}

/** The only value of a header; undefined when it is absent. Twice the same name is an error. */
export function headerOf(answer: RawAnswer, name: string): string | undefined {
  const values = answer.headers.filter(([found]) => found === name.toLowerCase());
  if (values.length > 1) throw new Error(`the header ${name} came ${values.length} times`);
  return values[0]?.[1];
}

/** A request in parts. The body's length is declared, or it is sent in chunks, unless a header says otherwise. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** Send the body in chunks of this size, with `Transfer-Encoding: chunked`. */
  readonly chunkBytes?: number;
}

/** The bytes of a request. */
export function rawBytes(request: RawRequest, host: string): Buffer {
  const { method, target, headers = {}, chunkBytes } = request;
  const lines = [`${method} ${target} HTTP/1.1`];
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  if (!names.has("host")) lines.push(`Host: ${host}`);
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === "string" ? [value] : value) lines.push(`${name}: ${one}`);
  }
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  if (body !== undefined && chunkBytes === undefined && !names.has("content-length")) {
    lines.push(`Content-Length: ${body.byteLength}`);
  }
  if (chunkBytes !== undefined) lines.push("Transfer-Encoding: chunked");
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (body === undefined) return head;
  return Buffer.concat([head, chunkBytes === undefined ? body : inChunks(body, chunkBytes)]);
}

/** A body in the chunked transfer coding (RFC 9112, 7.1), its end included. */
export function inChunks(body: Buffer, chunkBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0; start < body.byteLength; start += chunkBytes) {
    const chunk = body.subarray(start, start + chunkBytes);
    parts.push(Buffer.from(`${chunk.byteLength.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

/** One connection; requests and answers in turn. */
export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#isClosed = true;
        this.#wake();
      });
    }
  }

  static async open(port: number): Promise<RawConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("connect", resolve);
    socket.once("error", reject);
    await promise;
    return new RawConnection(socket);
  }

  /** Sends bytes as they are, and resolves when the system has taken them or the peer is gone. */
  async write(bytes: string | Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, () =>
      resolve(),
    );
    await promise;
  }

  /** The next answer; undefined when the server closed the connection without one. */
  async answer(method = "GET"): Promise<RawAnswer | undefined> {
    for (;;) {
      const taken = takeAnswer(this.#received, method, this.#isClosed);
      if (taken !== undefined) {
        this.#received = this.#received.subarray(taken.sizeBytes);
        if (taken.answer.status >= 200) return taken.answer;
      } else if (this.#isClosed) {
        return undefined;
      } else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }

  /** True once the server has closed its side. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Breaks the connection off, as a client does that dies. */
  destroy(): void {
    this.#socket.destroy();
  }
}

/** Takes the first whole answer from `bytes`, if there is one. */
function takeAnswer(
  bytes: Buffer,
  method: string,
  isEnd: boolean,
): { readonly answer: RawAnswer; readonly sizeBytes: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`not a status line: ${statusLine}`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const taken = takeBody(bytes.subarray(headEnd + 4), { status, method, headers, isEnd });
  if (taken === undefined) return undefined;
  const sizeBytes = headEnd + 4 + taken.sizeBytes;
  const wholeText = bytes.subarray(0, sizeBytes).toString("latin1");
  return { answer: { status, headers, body: taken.body, wholeText }, sizeBytes };
}

function takeBody(
  bytes: Buffer,
  head: {
    readonly status: number;
    readonly method: string;
    readonly headers: readonly (readonly [string, string])[];
    readonly isEnd: boolean;
  },
): { readonly body: Buffer; readonly sizeBytes: number } | undefined {
  const none = { body: Buffer.alloc(0), sizeBytes: 0 };
  if (head.method === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304) {
    return none;
  }
  const fields = new Map(head.headers);
  if (fields.get("transfer-encoding")?.toLowerCase() === "chunked") return takeChunks(bytes);
  const length = fields.get("content-length");
  if (length === undefined) {
    return head.isEnd ? { body: Buffer.from(bytes), sizeBytes: bytes.byteLength } : undefined;
  }
  const sizeBytes = Number(length);
  // What came before the connection broke off is shown as it is: the caller compares lengths.
  if (bytes.byteLength < sizeBytes && !head.isEnd) return undefined;
  const body = Buffer.from(bytes.subarray(0, sizeBytes));
  return { body, sizeBytes: body.byteLength };
}

function takeChunks(
  bytes: Buffer,
): { readonly body: Buffer; readonly sizeBytes: number } | undefined {
  const parts: Buffer[] = [];
  let position = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return undefined;
    const sizeBytes = Number.parseInt(bytes.subarray(position, lineEnd).toString("latin1"), 16);
    const start = lineEnd + 2;
    if (bytes.byteLength < start + sizeBytes + 2) return undefined;
    parts.push(bytes.subarray(start, start + sizeBytes));
    position = start + sizeBytes + 2;
    if (sizeBytes === 0) return { body: Buffer.concat(parts), sizeBytes: position };
  }
}

/** One request on a connection of its own. */
export async function sendRaw(port: number, request: RawRequest): Promise<RawAnswer> {
  const answer = await sendBytes(port, rawBytes(request, `127.0.0.1:${port}`), request.method);
  if (answer === undefined) throw new Error(`no answer to ${request.method} ${request.target}`);
  return answer;
}

/** Bytes on a connection of its own; undefined when the server closed it without an answer. */
export async function sendBytes(
  port: number,
  bytes: string | Uint8Array,
  method = "GET",
): Promise<RawAnswer | undefined> {
  const connection = await RawConnection.open(port);
  try {
    await connection.write(bytes);
    return await connection.answer(method);
  } finally {
    connection.destroy();
  }
}
