import { LeastRecent } from "../base/least-recent.ts";
import { KeyedMutex } from "../base/mutex.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";

/** Repositories whose room is remembered; the others are counted when they are pushed to. */
const remembered = 10_000;
/** When a client may hope that an upload has ended. */
const retryAfterSeconds = 60;

interface Room {
  /** Uploads that may begin before the sessions are counted again. */
  left: number;
  readonly beginning: Set<Promise<unknown>>;
}

/**
 * Keeps the unfinished uploads of a repository below a limit: each costs a folder.
 *
 * Counting them is a listing, which is too much for every upload. So a count that finds room for
 * n lets half of n begin before the next count. What other processes begin in between is seen
 * then; together they may go a little over.
 */
export class UploadAllowance {
  readonly #max: number;
  readonly #count: (name: RepositoryName, max: number) => Promise<number>;
  readonly #rooms = new LeastRecent<Room>(remembered);
  readonly #counting = new KeyedMutex();

  /** `count` tells how many sessions there are; more than the limit need not be told apart. */
  constructor(max: number, count: (name: RepositoryName, max: number) => Promise<number>) {
    this.#max = max;
    this.#count = count;
  }

  /**
   * Runs `begin`, which adds a session.
   *
   * @throws {RegistryError} `uploadTooMany`
   */
  async admit<T>(name: RepositoryName, begin: () => Promise<T>): Promise<T> {
    const room = this.#roomOf(name);
    while (room.left === 0) await this.#counting.run(name, () => this.#countAgain(name, room));
    room.left -= 1;
    const begun = begin();
    const settled = begun.catch(() => undefined).finally(() => room.beginning.delete(settled));
    room.beginning.add(settled);
    return begun;
  }

  async #countAgain(name: RepositoryName, room: Room): Promise<void> {
    if (room.left > 0) return;
    // What is about to begin would be missed by the count.
    await Promise.all(room.beginning);
    const count = await this.#count(name, this.#max);
    if (count >= this.#max) {
      throw new RegistryError(
        "uploadTooMany",
        { name, count, max: this.#max },
        { headers: { "Retry-After": String(retryAfterSeconds) } },
      );
    }
    room.left = Math.ceil((this.#max - count) / 2);
  }

  #roomOf(name: RepositoryName): Room {
    const known = this.#rooms.get(name);
    if (known !== undefined) return known;
    const room: Room = { left: 0, beginning: new Set() };
    this.#rooms.set(name, room);
    return room;
  }
}
