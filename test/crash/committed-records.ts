import { Database as Connection } from "bun:sqlite";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseLocation } from "../../src/database/database.ts";

/** What was committed at one moment. */
export interface RecordsCopy {
  /** Grows with every commit. */
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** In memory where there is such a folder: each disk that is looked at has one of these. */
const parentFolder = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/**
 * The database of records beside a simulated disk: a real file, of which a power cut takes nothing
 * that was committed, as SQLite promises. The databases of a search are otherwise as new after it.
 */
export class CommittedRecords implements Disposable {
  readonly location: DatabaseLocation & { readonly kind: "sqlite" };
  readonly #folder: string;
  #reader: Connection | undefined;
  #copy: RecordsCopy = { version: 0, bytes: new Uint8Array() };

  /** Empty, or as they were when `copy` was made. */
  constructor(copy?: RecordsCopy) {
    this.#folder = mkdtempSync(join(parentFolder, "berth-records-"));
    this.location = { kind: "sqlite", path: join(this.#folder, "berth.sqlite") };
    if (copy !== undefined) writeFileSync(this.location.path, copy.bytes);
  }

  /** What is committed by now; the same object as long as that does not change. */
  copy(): RecordsCopy {
    const reader = (this.#reader ??= new Connection(this.location.path));
    const version = Number(reader.query("pragma data_version").values()[0]?.[0]);
    if (version !== this.#copy.version) this.#copy = { version, bytes: reader.serialize() };
    return this.#copy;
  }

  [Symbol.dispose](): void {
    this.#reader?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
