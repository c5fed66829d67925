import type { Clock } from "../base/clock.ts";
import type { Content } from "../registry/content.ts";
import { type ByteRange, formatContentRange } from "./range.ts";
import {
  type HeaderFields,
  octetStream,
  type Reply,
  type ReplyBody,
  SharedHeaders,
} from "./reply.ts";

/** What the writer has to know besides the reply. */
export interface WriteOptions {
  readonly method: string;
  /** Headers of this one answer, such as its request id. */
  readonly extra: HeaderFields;
}

/** Statuses whose answers have no body and no length (RFC 9110). */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

const always: HeaderFields = {
  "Docker-Distribution-API-Version": "registry/2.0",
  "X-Content-Type-Options": "nosniff",
};

interface DatedHeaders {
  readonly headers: Headers;
  date: string;
}

/** Turns replies into what the server sends: the only place where an answer is written. */
export class Writer {
  readonly #common: HeaderFields;
  readonly #date: () => string;
  readonly #ready = new WeakMap<SharedHeaders, Headers>();
  readonly #readyForHead = new WeakMap<SharedHeaders, DatedHeaders>();

  /** `configured` goes out with every answer (`http.headers`). */
  constructor(configured: HeaderFields, clock: Clock) {
    this.#common = { ...always, ...configured };
    this.#date = dates(clock);
  }

  write(reply: Reply, { method, extra }: WriteOptions): Response {
    const { status, headers, body } = reply;
    if (headers instanceof SharedHeaders && extra === noExtra) {
      const isWhole = method === "GET" || (method === "HEAD" && headers.hasLength);
      if (isWhole) {
        const ready = method === "HEAD" ? this.#headersForHead(headers) : this.#headersFor(headers);
        return new Response(bodyOf(body), { status, headers: ready });
      }
    }
    const own = headers instanceof SharedHeaders ? headers.fields : headers;
    const all: Record<string, string> = { ...this.#common, ...extra, ...own };
    if (method === "HEAD") all["Date"] ??= this.#date();
    if (bodiless.has(status)) return new Response(null, { status, headers: all });
    if (method === "HEAD") {
      all["Content-Length"] ??= String(sizeOfBody(body));
      return new Response(null, { status, headers: all });
    }
    if (body?.kind === "multipart") all["Content-Length"] = String(sizeOfBody(body));
    return new Response(bodyOf(body), { status, headers: all });
  }

  #headersFor(headers: SharedHeaders): Headers {
    const ready = this.#ready.get(headers) ?? new Headers({ ...this.#common, ...headers.fields });
    this.#ready.set(headers, ready);
    return ready;
  }

  /** The runtime adds `Date` to every answer but those to HEAD, which must have it as well. */
  #headersForHead(headers: SharedHeaders): Headers {
    const date = this.#date();
    const ready = this.#readyForHead.get(headers);
    if (ready === undefined) {
      const made = new Headers({ Date: date, ...this.#common, ...headers.fields });
      this.#readyForHead.set(headers, { headers: made, date });
      return made;
    }
    if (ready.date !== date) {
      ready.headers.set("Date", date);
      ready.date = date;
    }
    return ready.headers;
  }
}

/** `Date` as it is now (RFC 9110, 5.6.7), made once a second. */
function dates(clock: Clock): () => string {
  let second: number | undefined;
  let text = "";
  return () => {
    const now = Math.floor(clock.nowMs() / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toUTCString();
    }
    return text;
  };
}

/** For the usual answer, which has nothing of its own to add. */
export const noExtra: HeaderFields = {};

type ResponseBody = ConstructorParameters<typeof Response>[0];

function bodyOf(body: ReplyBody | undefined): ResponseBody {
  if (body === undefined) return null;
  switch (body.kind) {
    case "bytes":
      return body.bytes;
    case "content":
      return partOf(body.content, body.range);
    case "multipart":
      return streamOf(multipartPieces(body));
  }
}

/** Bytes of a file leave by `sendfile`: nothing of them passes through this process. */
function partOf(content: Content, { start, end }: ByteRange): Blob | Uint8Array {
  switch (content.kind) {
    case "file":
      // The runtime answers a range of an empty file with 416, whatever status the answer has.
      return start === end ? new Uint8Array() : Bun.file(content.path).slice(start, end);
    case "bytes":
      return content.bytes.subarray(start, end);
  }
}

type Multipart = Extract<ReplyBody, { readonly kind: "multipart" }>;

/** The parts of a `multipart/byteranges` body (RFC 9110, 14.6), exactly one a range. */
function multipartPieces({ content, ranges, boundary }: Multipart): (string | Blob | Uint8Array)[] {
  const pieces: (string | Blob | Uint8Array)[] = [];
  for (const range of ranges) {
    const contentRange = formatContentRange(range, content.sizeBytes);
    pieces.push(
      `--${boundary}\r\nContent-Type: ${octetStream}\r\nContent-Range: ${contentRange}\r\n\r\n`,
      partOf(content, range),
      "\r\n",
    );
  }
  pieces.push(`--${boundary}--\r\n`);
  return pieces;
}

/** One piece after the other, so that a body of many files is never in memory at once. */
async function* streamOf(
  pieces: readonly (string | Blob | Uint8Array)[],
): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (typeof piece === "string") yield new TextEncoder().encode(piece);
    else if (piece instanceof Blob) yield* piece.stream();
    else yield piece;
  }
}

/** Bytes of a body as it goes out. */
export function sizeOfBody(body: ReplyBody | undefined): number {
  if (body === undefined) return 0;
  switch (body.kind) {
    case "bytes":
      return typeof body.bytes === "string" ? Buffer.byteLength(body.bytes) : body.bytes.byteLength;
    case "content":
      return body.range.end - body.range.start;
    case "multipart":
      return multipartPieces(body).reduce(
        (sum, piece) =>
          sum +
          (typeof piece === "string"
            ? Buffer.byteLength(piece)
            : piece instanceof Blob
              ? piece.size
              : piece.byteLength),
        0,
      );
  }
}
