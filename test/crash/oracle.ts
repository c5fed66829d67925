/**
 * What a registry must still have after a fault, and the look whether it has it.
 *
 * Each thing that a client can change is a register: a blob or a manifest of a repository, which
 * is there or not, and a tag, which names a digest or nothing. The oracle is told when an
 * operation begins, and when it is acknowledged; that is logged on another filesystem. After a
 * fault, a register may hold what an operation wrote, unless another one that began after its end
 * was acknowledged too. So what was acknowledged has to be there, and what was under way may be
 * there or not, but whole.
 */
import { digestOf } from "../support/distribution-client.ts";
import type { Journal } from "./journal.ts";
import type { RegistryClient } from "./registry-client.ts";

/** A register's name. */
export type Register = `${"blob" | "manifest"} ${string}@${string}` | `tag ${string}:${string}`;

/** What a register is to hold: a digest, or nothing. */
export interface Write {
  readonly register: Register;
  readonly value: string | undefined;
}

interface Version {
  readonly value: string | undefined;
  readonly beganAt: number;
  /** Infinite until it is acknowledged. */
  endedAt: number;
}

/** An operation under way. */
export interface Operation {
  /** For people: `push team/app:v1`. */
  readonly name: string;
  readonly versions: readonly Version[];
}

/** What was found wrong, a line each. */
export interface Findings {
  /** Acknowledged and not there, or deleted and there again. */
  readonly lost: readonly string[];
  /** Served with other bytes than its digest says. */
  readonly corrupt: readonly string[];
  /** Named by a tag or a manifest, and cannot be pulled. */
  readonly broken: readonly string[];
}

export const blobRegister = (repository: string, digest: string): Register =>
  `blob ${repository}@${digest}`;
export const manifestRegister = (repository: string, digest: string): Register =>
  `manifest ${repository}@${digest}`;
export const tagRegister = (repository: string, tag: string): Register =>
  `tag ${repository}:${tag}`;

/** Requests of a verification that are under way at once. */
const lookersCount = 8;

export class Oracle {
  readonly #journal: Journal;
  readonly #registers = new Map<Register, Version[]>();
  #now = 0;
  acknowledgedCount = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  begin(name: string, writes: readonly Write[]): Operation {
    this.#now += 1;
    const versions = writes.map(({ register, value }) => {
      const version: Version = { value, beganAt: this.#now, endedAt: Number.POSITIVE_INFINITY };
      const known = this.#registers.get(register);
      // Before its first operation, there was nothing.
      const nothing: Version = { value: undefined, beganAt: 0, endedAt: 0 };
      if (known === undefined) this.#registers.set(register, [nothing, version]);
      else known.push(version);
      return version;
    });
    return { name, versions };
  }

  acknowledge({ name, versions }: Operation): void {
    this.#now += 1;
    for (const version of versions) version.endedAt = this.#now;
    this.acknowledgedCount += 1;
    this.#journal.append(`${this.#now} ${name}`);
  }

  /** What a register may hold now. */
  possible(register: Register): ReadonlySet<string | undefined> {
    const versions = this.#registers.get(register) ?? [];
    const lastBegin = Math.max(
      0,
      ...versions.filter(({ endedAt }) => endedAt !== Infinity).map(({ beganAt }) => beganAt),
    );
    const open = versions.filter(({ endedAt }) => endedAt >= lastBegin);
    return new Set(open.map(({ value }) => value));
  }

  /** What a register holds for certain; undefined also when that is not known. */
  certain(register: Register): string | undefined {
    const possible = this.possible(register);
    return possible.size === 1 ? [...possible][0] : undefined;
  }

  /** Looks at everything, over HTTP. What was under way counts as found from here on. */
  async verify(client: RegistryClient): Promise<Findings> {
    const look = new Look(client);
    const waiting = [...this.#registers.keys()];
    await inParallel(waiting, async (register) => {
      const held = await look.at(register);
      const possible = this.possible(register);
      if (!possible.has(held)) {
        const wanted = [...possible].map((value) => value ?? "nothing").join(" or ");
        look.lost.push(`${register} holds ${held ?? "nothing"}, not ${wanted}`);
      }
      this.#now += 1;
      this.#registers.set(register, [{ value: held, beganAt: this.#now, endedAt: this.#now }]);
    });
    await inParallel(await look.listedTags(), async ({ repository, tag }) => {
      const register = tagRegister(repository, tag);
      if (!this.#registers.has(register)) look.lost.push(`${register} was never pushed`);
      await look.image(repository, tag);
    });
    return look;
  }
}

/** One look at all that a registry serves. What was seen once is not asked for again. */
class Look implements Findings {
  readonly lost: string[] = [];
  readonly corrupt: string[] = [];
  readonly broken: string[] = [];
  readonly #client: RegistryClient;
  readonly #blobs = new Map<string, Promise<string | undefined>>();
  readonly #images = new Map<string, Promise<string | undefined>>();

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  /** The digest that a register holds, by the bytes that are served. */
  async at(register: Register): Promise<string | undefined> {
    const [kind = "", ...rest] = register.split(" ");
    const name = rest.join(" ");
    const split = kind === "tag" ? name.lastIndexOf(":") : name.indexOf("@");
    const [repository, reference] = [name.slice(0, split), name.slice(split + 1)];
    return kind === "blob" ? this.#blob(repository, reference) : this.image(repository, reference);
  }

  /** The digest of a manifest, all of whose blobs have been pulled; undefined without one. */
  async image(repository: string, reference: string): Promise<string | undefined> {
    return once(this.#images, `${repository} ${reference}`, () =>
      this.#pullImage(repository, reference),
    );
  }

  async listedTags(): Promise<readonly { repository: string; tag: string }[]> {
    const { repositories } = await this.#json<{ repositories: string[] }>("/v2/_catalog?n=1000");
    const found: { repository: string; tag: string }[] = [];
    for (const repository of repositories) {
      const path = `/v2/${repository}/tags/list?n=1000`;
      const { tags } = await this.#json<{ tags: string[] | null }>(path);
      for (const tag of tags ?? []) {
        found.push({ repository, tag });
        if ((await this.image(repository, tag)) === undefined) {
          this.broken.push(`${repository}:${tag} is listed and cannot be pulled`);
        }
      }
    }
    return found;
  }

  async #pullImage(repository: string, reference: string): Promise<string | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const bytes = await this.#pull(path, reference.includes(":") ? reference : undefined);
    if (bytes === undefined) return undefined;
    const { config, layers } = JSON.parse(new TextDecoder().decode(bytes)) as {
      readonly config: { readonly digest: string };
      readonly layers: readonly { readonly digest: string }[];
    };
    for (const { digest } of [config, ...layers]) {
      if ((await this.#blob(repository, digest)) !== digest) {
        this.broken.push(`${repository}:${reference} names ${digest}, which cannot be pulled`);
      }
    }
    return digestOf(bytes);
  }

  async #blob(repository: string, digest: string): Promise<string | undefined> {
    return once(this.#blobs, `${repository} ${digest}`, async () => {
      const bytes = await this.#pull(`/v2/${repository}/blobs/${digest}`, digest);
      return bytes === undefined ? undefined : digestOf(bytes);
    });
  }

  async #pull(path: string, digest: string | undefined): Promise<Uint8Array | undefined> {
    const { status, headers, body } = await this.#client.send("GET", path);
    if (status === 404) return undefined;
    const promised = headers.get("docker-content-digest");
    const actual = digestOf(body);
    if (status !== 200 || actual !== promised || actual !== (digest ?? actual)) {
      this.corrupt.push(`GET ${path}: ${status}, bytes of ${actual}, said to be ${promised}`);
      return undefined;
    }
    return body;
  }

  async #json<T>(path: string): Promise<T> {
    const { status, body } = await this.#client.send("GET", path);
    if (status !== 200) throw new Error(`GET ${path}: ${status}`);
    return JSON.parse(new TextDecoder().decode(body)) as T;
  }
}

async function once<T>(
  known: Map<string, Promise<T>>,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  const made = known.get(key) ?? make();
  known.set(key, made);
  return made;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: lookersCount }, worker));
}
