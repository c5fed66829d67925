import type { Random } from "../base/random.ts";

const lengthMax = 64;
const usable = /^[\w.:-]+$/;

/**
 * Names one request in the log and in the answer to a failure. A client, or a proxy before us,
 * may bring one in `X-Request-Id`. Found only when somebody wants to know: most never do.
 */
export class RequestId {
  readonly #headers: Headers;
  readonly #random: Random;
  #text: string | undefined;

  constructor(headers: Headers, random: Random) {
    this.#headers = headers;
    this.#random = random;
  }

  get text(): string {
    this.#text ??= this.#brought() ?? this.#random.uuid();
    return this.#text;
  }

  #brought(): string | undefined {
    const text = this.#headers.get("x-request-id");
    return text !== null && text.length <= lengthMax && usable.test(text) ? text : undefined;
  }
}
