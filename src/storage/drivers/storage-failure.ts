import { codeOf } from "../../base/errors.ts";
import { RegistryError } from "../../oci/problems.ts";

/** System call errors that mean: no room, not even for a name. */
const fullCodes: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** … and those that mean: not now, and not because of what the client sent. */
const unavailableCodes: ReadonlySet<string> = new Set([
  "EIO",
  "EROFS",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "ETIMEDOUT",
  "ESTALE",
  "EACCES",
  "EPERM",
]);

/** … and those that mean: a file where a folder should be, the reverse, or a link to itself. */
const obstructedCodes: ReadonlySet<string> = new Set(["ENOTDIR", "EISDIR", "ELOOP"]);

/**
 * The error to throw for a failed file operation: a refusal that the client understands where
 * the machine is short of something or the folder holds what it should not, otherwise an error
 * that says what was being done.
 */
export function translateFailure(cause: unknown, action: string): Error {
  if (cause instanceof RegistryError) return cause;
  const code = codeOf(cause);
  if (fullCodes.has(code)) return new RegistryError("storageFull", {}, { cause });
  if (unavailableCodes.has(code)) return new RegistryError("storageUnavailable", {}, { cause });
  if (obstructedCodes.has(code)) return new RegistryError("storageObstructed", {}, { cause });
  return new Error(action, { cause });
}
