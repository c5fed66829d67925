/** Who did something, as far as it is known. */
export interface Actor {
  /** The name that the request was authenticated with; absent for an anonymous one. */
  readonly name?: string;
  /** The client's User-Agent. */
  readonly client?: string;
  /** The client's network address. */
  readonly address?: string;
}

/** A page from the newest entry back. */
export interface PageBack {
  /** Exclusive: the `id` of the last entry of the page before. */
  readonly before?: number;
  readonly limit: number;
}

/** The `before` of a first page: larger than any id that a database gives. */
export const beforeNewest = Number.MAX_SAFE_INTEGER;

export type Entry<T> = T & { readonly id: number };
