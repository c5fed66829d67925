import type { Random } from "../base/random.ts";

const lengthMax = 64;
const usable = /^[\w.:-]+$/;

/** Names one request in the log. Made only when somebody wants to know it: most never do. */
export class RequestId {
  readonly #random: Random;
  #text: string | undefined;
  readonly isFromClient: boolean;

  /** A client, or a proxy before us, may bring an id of its own in `X-Request-Id`. */
  constructor(headers: Headers, random: Random) {
    const brought = headers.get("x-request-id");
    this.#random = random;
    this.isFromClient = brought !== null && brought.length <= lengthMax && usable.test(brought);
    this.#text = this.isFromClient && brought !== null ? brought : undefined;
  }

  get text(): string {
    this.#text ??= this.#random.uuid();
    return this.#text;
  }
}
