/** What a registry has promised to its clients, and what may be true of it at the same moment. */

/** A thing that a promise is about, and the value that means it is not there. */
export type Key = string;
export const absent = "absent";

export interface Promised {
  readonly value: string;
  readonly begunAt: number;
  /** Infinity while the answer is out, or when it was a refusal that may have done something. */
  answeredAt: number;
}

/** The values that are allowed, by key. */
export type Allowed = ReadonlyMap<Key, readonly string[]>;

/**
 * Every operation is told before it begins and when it is answered. A key may then have the
 * value of any operation that no later one, begun after it was answered and answered itself, has
 * replaced: two that ran at the same time may have taken effect in either order.
 */
export class Oracle {
  readonly #promised = new Map<Key, Promised[]>();
  #time = 0;
  /** Operations that were answered. */
  answered = 0;

  /** Notes what an operation will change, and returns what to call when it is answered. */
  begin(changes: Readonly<Record<Key, string>>): () => void {
    this.#time += 1;
    const begunAt = this.#time;
    const noted = Object.entries(changes).map(([key, value]) => {
      const promised: Promised = { value, begunAt, answeredAt: Number.POSITIVE_INFINITY };
      this.#of(key).push(promised);
      return promised;
    });
    return () => {
      this.#time += 1;
      this.answered += 1;
      for (const promised of noted) promised.answeredAt = this.#time;
    };
  }

  allowed(): Allowed {
    const found = new Map<Key, readonly string[]>();
    for (const [key, all] of this.#promised) {
      const isReplaced = ({ answeredAt }: Promised): boolean =>
        all.some((later) => later.begunAt > answeredAt && Number.isFinite(later.answeredAt));
      const values = all.filter((promised) => !isReplaced(promised)).map(({ value }) => value);
      found.set(key, [...new Set(values)]);
    }
    return found;
  }

  #of(key: Key): Promised[] {
    const known = this.#promised.get(key);
    if (known !== undefined) return known;
    const all: Promised[] = [{ value: absent, begunAt: 0, answeredAt: 0 }];
    this.#promised.set(key, all);
    return all;
  }
}

export function tagKey(name: string, tag: string): Key {
  return `tag ${name} ${tag}`;
}

export function manifestKey(name: string, digest: string): Key {
  return `manifest ${name} ${digest}`;
}

export function blobKeyOf(name: string, digest: string): Key {
  return `blob ${name} ${digest}`;
}
