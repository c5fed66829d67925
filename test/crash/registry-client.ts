/** A client that notes what no fault may bring about: answers of 5xx, and none in time. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** No answer of a healthy registry takes so long, on a busy machine either. */
const hangMs = 30_000;

export interface ClientOptions {
  /** Called before each request is sent. */
  readonly onSend?: () => void;
  /** False to make a connection for each request; true when not given. */
  readonly keepsConnections?: boolean;
}

export class RegistryClient {
  readonly #origin: string;
  readonly #options: ClientOptions;
  /** Answers of 5xx, as `PUT /v2/…: 500 body`. */
  readonly failures: { readonly status: number; readonly text: string }[] = [];
  readonly hangs: string[] = [];

  constructor(origin: string, options: ClientOptions = {}) {
    this.#origin = origin;
    this.#options = options;
  }

  /** @throws when the connection breaks off before the whole answer is there. */
  async send(method: string, target: string, options: SendOptions = {}): Promise<Answer> {
    const { onSend, keepsConnections = true } = this.#options;
    onSend?.();
    const url = new URL(target, this.#origin).href;
    const { body, headers } = options;
    const signal = AbortSignal.timeout(hangMs);
    try {
      const answer = await fetch(url, {
        method,
        signal,
        redirect: "manual",
        keepalive: keepsConnections,
        ...(headers !== undefined && { headers }),
        ...(body !== undefined && { body }),
      });
      const bytes = await answer.bytes();
      const length = answer.headers.get("content-length");
      if (method !== "HEAD" && length !== null && Number(length) !== bytes.byteLength) {
        throw new Error(`${method} ${target}: ${bytes.byteLength} of ${length} bytes`);
      }
      if (answer.status >= 500) {
        const text = `${method} ${target}: ${answer.status} ${new TextDecoder().decode(bytes)}`;
        this.failures.push({ status: answer.status, text });
      }
      return { status: answer.status, headers: answer.headers, body: bytes };
    } catch (error) {
      if (signal.aborted) this.hangs.push(`${method} ${target}: no answer in ${hangMs} ms`);
      throw error;
    }
  }
}
