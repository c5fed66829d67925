import type { ObjectStore } from "../../storage/object-store.ts";

export const backupRecordKey = "berth/backup.json";
const sizeBytesMax = 1 << 16;

/** What `berth/backup.json` says of the copy that it lies in. */
export interface BackupRecord {
  readonly format: 1;
  readonly startedAt: string;
  /** Absent while the copy is under way, or when it was interrupted. */
  readonly finishedAt?: string;
  /** Berth's, that wrote it. */
  readonly version: string;
  /** The folder that it was copied from. */
  readonly source: string;
  readonly records: "berth/berth.sqlite" | "postgresql";
  readonly counts?: Readonly<Record<string, number>>;
}

/** Undefined when there is none that can be read. */
export async function readBackupRecord(objects: ObjectStore): Promise<BackupRecord | undefined> {
  const bytes = await objects.read(backupRecordKey, sizeBytesMax);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  return isBackupRecord(value) ? value : undefined;
}

export async function writeBackupRecord(objects: ObjectStore, record: BackupRecord): Promise<void> {
  const text = `${JSON.stringify(record, undefined, 2)}\n`;
  await objects.put(backupRecordKey, new TextEncoder().encode(text));
}

function isBackupRecord(value: unknown): value is BackupRecord {
  if (typeof value !== "object" || value === null) return false;
  return "format" in value && value.format === 1 && "startedAt" in value && "records" in value;
}
