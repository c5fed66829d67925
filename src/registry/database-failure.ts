import { RegistryError } from "../oci/problems.ts";

/** True when there was no room for what was to be written. */
export function isStorageFull(error: unknown): boolean {
  return error instanceof RegistryError && error.reason === "storageFull";
}

/** True when the database failed, and not what was asked of it. */
export function isDatabaseFailure(error: unknown): boolean {
  if (isStorageFull(error)) return true;
  return error instanceof RegistryError && error.reason === "databaseUnavailable";
}
