/**
 * The operations of a file system that the filesystem driver uses, one method a system call,
 * so that a test can put a faulty or a simulated disk in its place.
 *
 * Absence is a value; everything else is an error with the `code` of the system call.
 */
export interface FileSystem {
  stat(path: string): Promise<FileStat | undefined>;
  /** The same without leaving the thread: for the path of a pull, where a hop costs more. */
  statNow(path: string): FileStat | undefined;
  readFolder(path: string): Promise<readonly FolderEntry[] | undefined>;
  /** False when the folder was there already. ENOENT when its parent is missing. */
  makeFolder(path: string): Promise<boolean>;
  rename(source: string, target: string): Promise<void>;
  /** False when there was nothing. */
  unlink(path: string): Promise<boolean>;
  /** False when it is not there or not empty. */
  removeEmptyFolder(path: string): Promise<boolean>;
  /** Makes the entries of a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** `create` fails with EEXIST; `append` makes the file when it is missing. */
  openWrite(path: string, mode: "create" | "append"): Promise<WritableFile>;
  openRead(path: string): Promise<ReadableFile | undefined>;
}

export interface FileStat {
  readonly isFolder: boolean;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly inode: number;
}

export interface FolderEntry {
  readonly name: string;
  /** Also of a link to one, unless it leads back to where it is in. */
  readonly isFolder: boolean;
  /** True for a symbolic link; absent otherwise. */
  readonly isLink?: true;
}

export interface WritableFile {
  /** Writes all pieces, one after the other, from `position` on. */
  write(pieces: readonly Uint8Array[], position: number): Promise<void>;
  /** The same without leaving the thread, where that can be done. */
  writeNow?(pieces: readonly Uint8Array[], position: number): void;
  truncate(sizeBytes: number): Promise<void>;
  /** fdatasync: bytes and size. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  /** Fills `buffer` from `position`, and returns how many bytes there were. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}
