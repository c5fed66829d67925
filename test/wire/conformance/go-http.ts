/**
 * Requests as Go's `net/http` writes them, which is what the official suite is made of. `fetch`
 * would declare lengths that the suite leaves open, and join headers that come twice.
 */
import { expect } from "bun:test";
import { RawConnection, rawBytes } from "../../support/raw-http.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
  /** Sent unasked once they were asked for: `OCI_CACHE_AUTH`, which is on by default. */
  readonly areRemembered: boolean;
}

export interface GoRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
  /** The client does not say how long the body is: the suite's manifests and streams. */
  readonly isLengthUnknown?: boolean;
}

/** How much Go copies at once. */
const transferChunkBytes = 32 * 1024;

/** A client that keeps its connection alive. */
export class GoHttpClient {
  readonly #host: string;
  readonly #port: number;
  readonly #credentials: Credentials | undefined;
  /** By what is asked for: to pull, to push, to delete. */
  readonly #remembered = new Map<string, string>();
  #connection: RawConnection | undefined;

  constructor(origin: string, credentials?: Credentials) {
    const { host, port } = new URL(origin);
    this.#host = host;
    this.#port = Number(port);
    this.#credentials = credentials;
  }

  close(): void {
    this.#connection?.destroy();
  }

  /** Sends a request, and once more with the credentials when it is answered with 401. */
  async send(target: string, request: GoRequest): Promise<Response> {
    const { method } = request;
    const kind = method === "GET" || method === "HEAD" ? "pull" : method === "DELETE" ? "" : "push";
    const first = await this.#exchange(target, request, this.#remembered.get(kind));
    if (first.status !== 401 || this.#credentials === undefined) return first;
    const { user, password, areRemembered } = this.#credentials;
    // The suite takes the last of the words bearer and basic for the scheme, wherever it is.
    const challenge = first.headers.get("www-authenticate") ?? "";
    expect(
      challenge
        .match(/bearer|basic/gi)
        ?.at(-1)
        ?.toLowerCase(),
    ).toBe("basic");
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    if (areRemembered) this.#remembered.set(kind, authorization);
    return this.#exchange(target, request, authorization);
  }

  async #exchange(
    target: string,
    { method, headers = {}, body, isLengthUnknown }: GoRequest,
    authorization: string | undefined,
  ): Promise<Response> {
    // A length of 0 beside a body means to Go that the length is not known.
    const isChunked = body !== undefined && (isLengthUnknown === true || body.byteLength === 0);
    const hasNoBody = body === undefined && ["POST", "PUT", "PATCH"].includes(method);
    const isPlain = method === "HEAD" || "Range" in headers;
    const bytes = rawBytes(
      {
        method,
        target,
        headers: {
          "User-Agent": "Go-http-client/1.1",
          ...headers,
          ...(hasNoBody && { "Content-Length": "0" }),
          ...(authorization !== undefined && { Authorization: authorization }),
          // Go undoes what it asked for by itself, and takes the length away with it.
          ...(!isPlain && { "Accept-Encoding": "gzip" }),
        },
        ...(body !== undefined && { body }),
        ...(isChunked && { chunkBytes: transferChunkBytes }),
      },
      this.#host,
    );
    if (this.#connection === undefined || this.#connection.isClosed) {
      this.#connection = await RawConnection.open(this.#port);
    }
    await this.#connection.write(bytes);
    const answer = await this.#connection.answer(method);
    if (answer === undefined) throw new Error(`no answer to ${method} ${target}`);
    return new Response(answer.body.byteLength === 0 ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: answer.headers.map(([name, value]): [string, string] => [name, value]),
    });
  }
}
