import { codeOf } from "../../base/errors.ts";
import { inParallel } from "../../base/in-parallel.ts";
import type { Logger } from "../../base/logger.ts";
import { KeyedMutex } from "../../base/mutex.ts";
import type { Random } from "../../base/random.ts";
import type { FileSystem } from "./file-system.ts";

/** What a file system has left for this process. */
export interface Room {
  readonly bytes: number;
  /** `Infinity` where names take no place of their own. */
  readonly inodes: number;
}

export interface ReserveOptions {
  /** Folders, one for each file system that the registry writes to; the reserve lies in them. */
  readonly folders: readonly string[];
  /** In each of them; 0 keeps none. */
  readonly sizeBytes: number;
  /** The real one: neither the reserve's own rules nor those of the stored bytes apply to it. */
  readonly files: FileSystem;
  readonly roomIn: (folder: string) => Room | undefined;
  readonly random: Random;
  readonly logger: Logger;
}

const folderName = "reserve";
/** As many names come back with the bytes, and one for their folder's. */
const piecesCount = 16;
const pieceNames = Array.from({ length: piecesCount }, (_, index) =>
  String(index).padStart(2, "0"),
);
const piecesAtOnce = 4;
/** It is taken only where so many times its size is free: it must not fill the disk itself. */
const roomFactor = 4;

/**
 * - `absent`: there is none, and there never was, for want of room or because none is wanted.
 * - `held`: it takes its room from the file system.
 * - `givenBack`: the disk was full, and its room is for what makes room.
 */
type State = "absent" | "held" | "givenBack";

/**
 * Room that is kept so that a full disk can be dug out. A deletion needs none, but its row does,
 * and so does every step of collection: at zero free bytes SQLite cannot commit, and nothing
 * would ever get free.
 *
 *     <folder>/reserve/00 … 15     random bytes, so that no file system can store them in less
 *
 *     absent ── there is room ──► held ◄───────────── there is room again ───────────┐
 *                                  └── no room for a row, a folder, a rename ──► givenBack
 *
 * Sixteen files and not one: their names are room too, where inodes are what is missing. What is on
 * the disk is the state, so a crash needs no mending: all sixteen are there, or the rest of them
 * goes on as given back, at the next start too. Half made and given back cannot be told apart,
 * and need not be.
 *
 * Others than those who make room must not get at it meanwhile (`reserving-file-system.ts`).
 */
export class Reserve {
  readonly #options: ReserveOptions;
  readonly #turns = new KeyedMutex();
  #state: State = "absent";
  #givingBack: Promise<boolean> | undefined;
  /** What the log has been told; it is not told again. */
  #complaint = "";

  private constructor(options: ReserveOptions) {
    this.#options = options;
  }

  /**
   * Finds out what an earlier process has left, and gives it back where the disk is full: without
   * room SQLite cannot open its files, or worse, ends the process when it writes to what it has
   * mapped of them. Takes nothing yet.
   */
  static async open(options: ReserveOptions): Promise<Reserve> {
    const reserve = new Reserve(options);
    if (options.sizeBytes === 0) {
      await reserve.#remove();
      await reserve.#removeFolders();
      return reserve;
    }
    reserve.#state = await reserve.#stateOnDisk();
    const { sizeBytes: bytes } = options;
    if (reserve.isHeld && !reserve.#hasRoom({ bytes, inodes: piecesCount })) {
      await reserve.giveBack();
    }
    return reserve;
  }

  get isHeld(): boolean {
    return this.#state === "held";
  }

  /** True while only what makes room may write. On the path of every push. */
  get isGivenBack(): boolean {
    return this.#state === "givenBack";
  }

  /**
   * Gives it back to the file system. True when there is more room now than when it was asked;
   * false when there was nothing to give.
   */
  giveBack(): Promise<boolean> {
    if (this.#options.sizeBytes === 0) return Promise.resolve(false);
    this.#givingBack ??= this.#giveBack().finally(() => (this.#givingBack = undefined));
    return this.#givingBack;
  }

  /** Looks now and then: takes it, or takes it again, when there is clearly enough room. */
  async look(): Promise<void> {
    if (this.#options.sizeBytes === 0) return;
    await this.#turns.run("reserve", () => this.#look());
  }

  async #giveBack(): Promise<boolean> {
    const wasHeld = this.isHeld;
    // At once: who is about to write must not get what is on its way back.
    if (wasHeld) this.#noteGivenBack();
    const given = await this.#turns.run("reserve", () => this.#remove());
    if (given > 0) this.#noteGivenBack();
    // Held and not there: another process of this registry was quicker.
    return given > 0 || wasHeld;
  }

  #noteGivenBack(): void {
    if (this.isGivenBack) return;
    this.#state = "givenBack";
    const { sizeBytes, folders, logger } = this.#options;
    logger.warn(
      "the disk is full: the reserve is given back, for deletions, collection and the databases; " +
        "pushes are refused until there is room again",
      { folder: folders.join(", "), sizeBytes, neededBytes: this.#roomToTake.bytes },
    );
  }

  async #look(): Promise<void> {
    const { logger, sizeBytes, folders } = this.#options;
    if (!(await this.#isComplete()) && !(await this.#take())) {
      // Another process of this registry has given it back.
      if (this.isHeld) this.#noteGivenBack();
      return;
    }
    // It waits for this look to end, and then takes away what was just seen.
    if (this.#givingBack !== undefined) return;
    const before = this.#state;
    this.#state = "held";
    this.#complaint = "";
    if (before === "givenBack") {
      logger.info("there is room again: the reserve is held, and pushes go on", { sizeBytes });
    } else if (before === "absent") {
      logger.info("room is reserved for the day when the disk is full", {
        folder: folders.join(", "),
        sizeBytes,
      });
    }
  }

  /** True when there is nothing to take: also of another size, while it cannot be exchanged. */
  async #isComplete(): Promise<boolean> {
    if ((await this.#stateOnDisk()) !== "held") return false;
    const { folders, files } = this.#options;
    const isOfSize = (path: string): boolean => files.statNow(path)?.sizeBytes === this.#pieceBytes;
    const areOfSize = folders.every((folder) =>
      pieceNames.every((name) => isOfSize(`${folder}/${folderName}/${name}`)),
    );
    return areOfSize || !this.#hasRoom(this.#roomToTake);
  }

  /** False when there is not clearly enough room. */
  async #take(): Promise<boolean> {
    const { folders } = this.#options;
    const needed = this.#roomToTake;
    if (!this.#hasRoom(needed)) {
      this.#complain("there is too little room to reserve some for the day when the disk is full", {
        folder: folders.join(", "),
        neededBytes: needed.bytes,
      });
      return false;
    }
    try {
      for (const folder of folders) await this.#takeIn(folder);
      return true;
    } catch (error) {
      // Another process of this registry is taking it: the next look finds it.
      if (codeOf(error) === "EEXIST") return false;
      await this.#remove();
      // A folder without pieces says that it was given back.
      if (this.#state === "absent") await this.#removeFolders();
      this.#complain("no room could be reserved for the day when the disk is full", { error });
      return false;
    }
  }

  async #takeIn(folder: string): Promise<void> {
    const { files } = this.#options;
    const own = `${folder}/${folderName}`;
    // Not durable: what a power cut takes of it is taken again.
    await files.makeFolder(own);
    await inParallel(pieceNames, piecesAtOnce, (name) => this.#writePiece(`${own}/${name}`));
  }

  async #writePiece(path: string): Promise<void> {
    const { files, random } = this.#options;
    if (files.statNow(path)?.sizeBytes === this.#pieceBytes) return;
    await files.unlink(path);
    const file = await files.openWrite(path, "create");
    try {
      await file.write([random.bytes(this.#pieceBytes)], 0);
      // Where blocks are given out late, this is where it shows that there are enough.
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Says how many pieces are gone now. What cannot be removed stays: it may go the next time. */
  async #remove(): Promise<number> {
    const { files, folders } = this.#options;
    let count = 0;
    for (const folder of folders) {
      const own = `${folder}/${folderName}`;
      let isChanged = false;
      for (const name of pieceNames) {
        if (!(await files.unlink(`${own}/${name}`).catch(() => false))) continue;
        count += 1;
        isChanged = true;
      }
      // ext4 gives blocks out again when the removal is in its journal.
      if (isChanged) await files.syncFolder(own).catch(() => undefined);
    }
    return count;
  }

  async #removeFolders(): Promise<void> {
    const { files, folders } = this.#options;
    for (const folder of folders) {
      await files.removeEmptyFolder(`${folder}/${folderName}`).catch(() => false);
    }
  }

  async #stateOnDisk(): Promise<State> {
    const states = await Promise.all(
      this.#options.folders.map((folder) => this.#stateIn(`${folder}/${folderName}`)),
    );
    return (
      states.find((state) => state === "givenBack") ??
      states.find((state) => state === "absent") ??
      "held"
    );
  }

  /** By their names alone: of another size, it is given back or taken anew like any other. */
  async #stateIn(folder: string): Promise<State> {
    const entries = await this.#options.files.readFolder(folder).catch(() => undefined);
    if (entries === undefined) return "absent";
    const names = new Set(entries.map((entry) => entry.name));
    return pieceNames.every((name) => names.has(name)) ? "held" : "givenBack";
  }

  /** Where nobody can say how much there is, there is enough. */
  #hasRoom(needed: Room): boolean {
    return this.#options.folders.every((folder) => {
      const room = this.#options.roomIn(folder);
      return room === undefined || (room.bytes >= needed.bytes && room.inodes >= needed.inodes);
    });
  }

  get #roomToTake(): Room {
    const inodes = (piecesCount + 1) * roomFactor;
    return { bytes: this.#options.sizeBytes * roomFactor, inodes };
  }

  get #pieceBytes(): number {
    return Math.ceil(this.#options.sizeBytes / piecesCount);
  }

  #complain(message: string, fields: Readonly<Record<string, unknown>>): void {
    // Of a reserve that there was, it is said that it is given back.
    if (this.#state !== "absent" || this.#complaint === message) return;
    this.#complaint = message;
    this.#options.logger.warn(message, fields);
  }
}
