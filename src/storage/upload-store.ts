import type { Clock } from "../base/clock.ts";
import { KeyedMutex } from "../base/mutex.ts";
import type { Random } from "../base/random.ts";
import {
  createHasher,
  type Digest,
  type DigestAlgorithm,
  isDigestAlgorithm,
  parseDigest,
} from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RunningHash } from "./hashing.ts";
import { type Flow, ingest } from "./ingest.ts";
import { uploadFolder, uploadsFolder } from "./layout.ts";
import type { Appender, ObjectStore } from "./object-store.ts";
import { RunningHashes } from "./running-hashes.ts";
import { parseUploadId, type UploadId } from "./upload-id.ts";

/** An upload session as it lies in storage: any process may go on with it (design D6). */
export interface UploadSession {
  readonly id: UploadId;
  readonly repository: RepositoryName;
  /** Who began it: nobody else may touch it (CVE-2026-32589). */
  readonly owner: string;
  /** What the running digest is made with; the final digest may name another algorithm. */
  readonly algorithm: DigestAlgorithm;
  /** Bytes that were received and answered for. */
  readonly offset: number;
  /** Digest of those bytes; absent when nobody has computed it since a crash. */
  readonly digest?: Digest;
}

export interface UploadStoreOptions {
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
}

const stateSizeBytesMax = 4096;

/**
 * A large upload that begins while more than these are received, itself included, is hashed where
 * it is: bytes that wait for another thread take memory, and a crowd keeps the processor busy
 * anyway (docs/internals/decisions/crowds-wait.md).
 */
const threadAppendsMax = 1;

/**
 * Upload sessions: bytes that have no digest yet.
 *
 * The running hash cannot be saved, so it lives in this process alone. What is saved when an
 * append ends is the offset and the digest so far: an upload that is closed without more bytes
 * needs no second reading, in whichever process (design D6).
 */
export class UploadStore {
  readonly #options: UploadStoreOptions;
  readonly #objects: ObjectStore;
  readonly #hashes = new RunningHashes();
  /** In progress now. */
  #appends = 0;
  /** By id: a session that is written down is not cancelled or purged halfway through that. */
  readonly #changes = new KeyedMutex();
  /**
   * Names this process in the state of its sessions. A recorded digest is believed only by the
   * process that computed it: after a power cut, a file may have its length and not its bytes.
   */
  readonly #instance: string;

  constructor(options: UploadStoreOptions) {
    this.#options = options;
    this.#objects = options.objects;
    this.#instance = options.random.uuid();
  }

  async begin(
    repository: RepositoryName,
    options: { readonly owner: string; readonly algorithm: DigestAlgorithm },
  ): Promise<UploadSession> {
    const id = parseUploadId(this.#options.random.uuid());
    if (id === undefined) throw new Error("the random source gives no UUID");
    const startedAt = new Date(this.#options.clock.nowMs()).toISOString();
    const session: UploadSession = { id, repository, offset: 0, ...options };
    const folder = uploadFolder(repository, id);
    await this.#objects.putVolatile(`${folder}/startedat`, new TextEncoder().encode(startedAt));
    await this.#writeState(session);
    return session;
  }

  /**
   * The session, or undefined when this repository has none with that id, or when bytes that it
   * counts are gone: a power cut or a failed sync took them, and nobody can go on with the rest.
   */
  async find(repository: RepositoryName, id: UploadId): Promise<UploadSession | undefined> {
    const key = `${uploadFolder(repository, id)}/state.json`;
    const bytes = await this.#objects.read(key, stateSizeBytesMax);
    const state = bytes === undefined ? undefined : parseState(new TextDecoder().decode(bytes));
    if (state === undefined) return undefined;
    const { digest, hashedBy, ...session } = state;
    const isBelieved = digest !== undefined && hashedBy === this.#instance;
    if (!this.#hasItsBytes(repository, id, state.offset)) return undefined;
    return { id, repository, ...session, ...(isBelieved && { digest }) };
  }

  /**
   * Appends `source` and returns the session as it stands then. Bytes that arrived before
   * `source` failed are kept and counted, and the failure is thrown afterwards: the client asks
   * for the offset and resumes there (distribution-spec, "Pushing a blob in chunks").
   *
   * @throws {RegistryError} `uploadUnknown` when the session was removed meanwhile.
   */
  async append(session: UploadSession, source: AsyncIterable<Uint8Array>): Promise<UploadSession> {
    this.#appends += 1;
    try {
      return await this.#append(session, source);
    } finally {
      this.#appends -= 1;
    }
  }

  async #append(session: UploadSession, source: AsyncIterable<Uint8Array>): Promise<UploadSession> {
    const { id, offset, algorithm } = session;
    const begin = (isLarge: boolean): RunningHash =>
      this.#hashes.begin(algorithm, isLarge && this.#appends <= threadAppendsMax);
    const flow: Flow = {
      appender: await this.#openAppend(session),
      hash: this.#hashes.take(id, offset),
      beginHash: offset > 0 ? undefined : begin,
      writtenBytes: 0,
      hashedBytes: 0,
      isLost: false,
    };
    try {
      await ingest(source, flow);
    } catch (error) {
      await flow.appender.close();
      if (flow.isLost) {
        flow.hash?.close();
        await this.#giveUp(session);
      } else {
        await this.#noteProgress(session, flow);
      }
      throw error;
    }
    await flow.appender.close();
    return this.#noteProgress(session, flow);
  }

  /**
   * Makes the session's bytes durable and returns their digest in `algorithm`. A session whose
   * bytes cannot be made durable ends here: which of them are stored is not known, so there is
   * no offset to go on from.
   *
   * @throws {RegistryError} `uploadUnknown` when the session was removed meanwhile.
   */
  async seal(session: UploadSession, algorithm: DigestAlgorithm): Promise<Digest> {
    const appender = await this.#openAppend(session);
    try {
      await appender.sync();
    } catch (error) {
      await this.#giveUp(session);
      throw error;
    } finally {
      await appender.close();
    }
    if (session.digest?.startsWith(`${algorithm}:`) === true) return session.digest;
    const hasher = createHasher(algorithm);
    const range = { start: 0, end: session.offset };
    for await (const piece of this.#objects.readStream(this.dataKey(session), range)) {
      hasher.update(piece);
    }
    return hasher.digest();
  }

  /** Forgets the session with all its bytes. */
  async remove(session: UploadSession): Promise<void> {
    await this.#changes.run(session.id, () => this.#remove(session));
  }

  dataKey(session: UploadSession): string {
    return `${uploadFolder(session.repository, session.id)}/data`;
  }

  /** Sessions of one repository, with the time of their last sign of life, for the purge. */
  async *list(
    repository: RepositoryName,
  ): AsyncGenerator<{ readonly folder: string; readonly touchedAtMs: number }> {
    for (const entry of await this.#objects.list(uploadsFolder(repository))) {
      const folder = `${uploadsFolder(repository)}/${entry.name}`;
      if (!entry.isFolder || parseUploadId(entry.name) === undefined) continue;
      yield { folder, touchedAtMs: await this.#touchedAtMs(folder) };
    }
  }

  /**
   * How many sessions a repository has. Once they seem to be `max`, each is looked at, because
   * what Distribution has left behind lies in the same folder and is not counted.
   */
  async count(repository: RepositoryName, max: number): Promise<number> {
    const folder = uploadsFolder(repository);
    const entries = (await this.#objects.list(folder)).filter((entry) => entry.isFolder);
    if (entries.length < max) return entries.length;
    let count = 0;
    for (const { name } of entries) {
      const state = await this.#objects.stat(`${folder}/${name}/state.json`);
      if (state !== undefined) count += 1;
      if (count === max) break;
    }
    return count;
  }

  /**
   * Removes what `list` named, unless a request has written to it since and `isStale` does not
   * hold any more of its last sign of life: then false.
   */
  async purge(folder: string, isStale: (touchedAtMs: number) => boolean): Promise<boolean> {
    const id = folder.slice(folder.lastIndexOf("/") + 1).toLowerCase();
    return this.#changes.run(id, async () => {
      if (!isStale(await this.#touchedAtMs(folder))) return false;
      await this.#objects.removeFolder(folder);
      return true;
    });
  }

  async #touchedAtMs(folder: string): Promise<number> {
    const stats = await Promise.all(
      ["data", "state.json", "startedat"].map((name) => this.#objects.stat(`${folder}/${name}`)),
    );
    return Math.max(0, ...stats.map((stat) => stat?.modifiedAtMs ?? 0));
  }

  async #remove(session: UploadSession): Promise<void> {
    this.#hashes.forget(session.id);
    await this.#objects.removeFolder(uploadFolder(session.repository, session.id));
  }

  #hasItsBytes(repository: RepositoryName, id: UploadId, offset: number): boolean {
    if (offset === 0) return true;
    const content = this.#objects.content(`${uploadFolder(repository, id)}/data`);
    return content !== undefined && content.sizeBytes >= offset;
  }

  /** Its bytes are gone already; what is left of it may stay for the purge. */
  async #giveUp(session: UploadSession): Promise<void> {
    await this.remove(session).catch(() => undefined);
  }

  async #openAppend(session: UploadSession): Promise<Appender> {
    const appender = await this.#objects.openAppend(this.dataKey(session), session.offset);
    // The bytes that the session counts are gone: it was cancelled, or a power cut took them.
    if (appender === undefined) throw uploadUnknown(session);
    return appender;
  }

  async #noteProgress(session: UploadSession, flow: Flow): Promise<UploadSession> {
    const { digest: _, ...rest } = session;
    const offset = session.offset + flow.writtenBytes;
    // A failed write leaves the hash ahead of the bytes: it is worth nothing then.
    const isHashExact = flow.hashedBytes === flow.writtenBytes;
    const hash = isHashExact ? (flow.hash ?? flow.beginHash?.(false)) : undefined;
    if (!isHashExact) flow.hash?.close();
    const digest = await hash?.digest();
    const after = { ...rest, offset, ...(digest !== undefined && { digest }) };
    await this.#changes.run(session.id, async () => {
      // A session that was cancelled while its bytes came must not come back to life, nor may
      // anybody build on what it had.
      if ((await this.find(session.repository, session.id)) === undefined) {
        hash?.close();
        await this.#remove(session);
        throw uploadUnknown(session);
      }
      await this.#writeState(after);
    });
    if (hash !== undefined) this.#hashes.keep(session.id, { hash, offset });
    return after;
  }

  async #writeState(session: UploadSession): Promise<void> {
    const { owner, algorithm, offset, digest } = session;
    const hashedBy = this.#instance;
    const text = JSON.stringify({ owner, algorithm, offset, digest, hashedBy });
    const key = `${uploadFolder(session.repository, session.id)}/state.json`;
    await this.#objects.putVolatile(key, new TextEncoder().encode(text));
  }
}

function uploadUnknown({ id }: UploadSession): RegistryError {
  return new RegistryError("uploadUnknown", { uploadId: id });
}

/** A session as it is written down, with the process that computed its digest. */
interface State extends Omit<UploadSession, "id" | "repository"> {
  readonly hashedBy?: unknown;
}

function parseState(text: string): State | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // Left half-written by a power cut: the session cannot be trusted.
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (!("owner" in value && "algorithm" in value && "offset" in value)) return undefined;
  const { owner, algorithm, offset } = value;
  if (typeof owner !== "string" || typeof algorithm !== "string") return undefined;
  if (typeof offset !== "number" || !isDigestAlgorithm(algorithm)) return undefined;
  const digest =
    "digest" in value && typeof value.digest === "string" ? parseDigest(value.digest) : undefined;
  const hashedBy = "hashedBy" in value ? value.hashedBy : undefined;
  return { owner, algorithm, offset, hashedBy, ...(digest !== undefined && { digest }) };
}
