import { algorithmOf, type Digest, type DigestAlgorithm } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { parseUploadId, type UploadId } from "../storage/upload-id.ts";
import type { UploadSession } from "../storage/upload-store.ts";
import type { RegistryContext } from "./context.ts";
import { linkBlob } from "./link-blob.ts";
import { UploadAllowance } from "./upload-allowance.ts";

export type { UploadSession } from "../storage/upload-store.ts";

/** Names a session as a client does, with the one who asks. */
export interface UploadKey {
  readonly name: RepositoryName;
  /** The last path element as it came. */
  readonly id: string;
  readonly owner: string;
}

/** Bytes of one request: what the client said of them, and the bytes. */
export interface Chunk {
  /** Where the client says that they begin; absent for a stream. */
  readonly start?: number;
  readonly source: AsyncIterable<Uint8Array>;
}

/**
 * Pushing a blob (distribution-spec, "Pushing blobs"): begin, append, finish, cancel.
 *
 * One request at a time writes to a session. What a request that fails has brought stays, and
 * the session with it, so that the client can go on.
 */
export class Uploads {
  readonly #context: RegistryContext;
  readonly #busy = new Set<UploadId>();
  readonly #allowance: UploadAllowance;

  constructor(context: RegistryContext) {
    this.#context = context;
    this.#allowance = new UploadAllowance(context.policy.uploadsPerRepositoryMax, (name, max) =>
      context.uploads.count(name, max),
    );
  }

  /** @throws {RegistryError} `uploadTooMany` */
  async begin(
    name: RepositoryName,
    options: { readonly owner: string; readonly algorithm: DigestAlgorithm },
  ): Promise<UploadSession> {
    return this.#allowance.admit(name, () => this.#context.uploads.begin(name, options));
  }

  /** @throws {RegistryError} `uploadUnknown` */
  async status(key: UploadKey): Promise<UploadSession> {
    const id = parseUploadId(key.id);
    const session = id === undefined ? undefined : await this.#context.uploads.find(key.name, id);
    // A foreign session is not there: the same answer, so that ids cannot be probed.
    if (session === undefined || session.owner !== key.owner) {
      throw new RegistryError("uploadUnknown", { uploadId: key.id });
    }
    return session;
  }

  /** @throws {RegistryError} `uploadUnknown`, `uploadBusy`, `uploadOutOfOrder` */
  async append(key: UploadKey, chunk: Chunk): Promise<UploadSession> {
    return this.#alone(key, chunk, async (session) => this.#append(session, chunk));
  }

  /**
   * Appends the last chunk, if there is one, and turns the session into a blob.
   *
   * @throws {RegistryError} `digestMismatch`, which ends the session, and as `append`.
   */
  async finish(key: UploadKey, digest: Digest, chunk: Chunk | undefined): Promise<void> {
    await this.#alone(key, chunk, async (before) => {
      const session = chunk === undefined ? before : await this.#append(before, chunk);
      const { uploads, blobs, locks, leases } = this.#context;
      const actual = await uploads.seal(session, algorithmOf(digest));
      if (actual !== digest) {
        // Nobody can mend bytes in the middle: as in Distribution, the session ends here.
        await this.#discard(session);
        await this.#context.adoption.noteEndedUpload(session.repository);
        throw new RegistryError("digestMismatch", { expected: digest, actual });
      }
      await locks.shared(digest, async () => {
        await blobs.publish(digest, uploads.dataKey(session), session.offset);
        leases.touch(digest);
        const blob = { digest, sizeBytes: session.offset };
        await linkBlob(session.repository, blob, this.#context);
      });
      await this.#discard(session);
    });
  }

  /** @throws {RegistryError} `uploadUnknown` */
  async cancel(key: UploadKey): Promise<void> {
    // Not alone: a client may cancel what another of its requests is still sending.
    const session = await this.status(key);
    await this.#context.uploads.remove(session);
    await this.#context.adoption.noteEndedUpload(session.repository);
  }

  async #append(session: UploadSession, chunk: Chunk): Promise<UploadSession> {
    refuseOutOfOrder(session, chunk);
    return this.#context.uploads.append(session, chunk.source);
  }

  /** The blob is there: what is left of the session is litter, and its removal may fail. */
  async #discard(session: UploadSession): Promise<void> {
    try {
      await this.#context.uploads.remove(session);
    } catch (error) {
      this.#context.logger.warn("a finished upload could not be cleared away", {
        repository: session.repository,
        uploadId: session.id,
        error,
      });
    }
  }

  async #alone<T>(
    key: UploadKey,
    chunk: Chunk | undefined,
    work: (session: UploadSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.status(key);
    const { id } = session;
    if (this.#busy.has(id)) throw new RegistryError("uploadBusy");
    // Before the session is taken: a chunk that cannot be used must not keep a right one out.
    refuseOutOfOrder(session, chunk);
    this.#busy.add(id);
    try {
      // Asked again: between the first look and the lock another request may have written.
      return await work(await this.status(key));
    } catch (error) {
      // Cancelled or purged under our hands: what failed then, failed because of that.
      if (error instanceof RegistryError) throw error;
      if ((await this.#context.uploads.find(key.name, id)) !== undefined) throw error;
      throw new RegistryError("uploadUnknown", { uploadId: key.id }, { cause: error });
    } finally {
      this.#busy.delete(id);
    }
  }
}

/** @throws {RegistryError} `uploadOutOfOrder` */
function refuseOutOfOrder({ offset }: UploadSession, chunk: Chunk | undefined): void {
  const start = chunk?.start;
  if (start === undefined || start === offset) return;
  throw new RegistryError("uploadOutOfOrder", { start, offset });
}
