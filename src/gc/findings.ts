import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";

/**
 * Everything that fsck can find. An error is something that was acknowledged and is broken, or
 * that would mislead a client; what a crash leaves without harm is a notice.
 */
export const findingKinds = {
  "link-damaged": "error",
  "bytes-missing": "error",
  "reference-missing": "error",
  "reference-unlinked": "error",
  "tag-damaged": "error",
  "tag-dangling": "error",
  "blob-corrupt": "error",
  "blob-unreadable": "error",
  "metadata-differs": "error",
  "manifest-foreign": "notice",
  "size-wrong": "notice",
  "tag-incomplete": "notice",
  "in-trash": "notice",
  "link-unneeded": "notice",
  "blob-unlinked": "notice",
  "stray-file": "notice",
  "empty-repository": "notice",
  "temporary-file": "notice",
  "quarantined-blob": "notice",
  "quarantined-link": "notice",
} as const satisfies Readonly<Record<string, "error" | "notice">>;

export type FindingCode = keyof typeof findingKinds;

export interface Finding {
  readonly code: FindingCode;
  /** Absent for what belongs to no repository. */
  readonly repository?: RepositoryName;
  /** A tag, a digest or a path in the storage. */
  readonly subject: string;
  /** What is wrong, and where it helps what to do. No full stop at the end. */
  readonly text: string;
  /** `mended` by this run. */
  readonly outcome: "error" | "notice" | "mended";
  /** True when `--repair` would mend it without loss. */
  readonly canMend: boolean;
}

/** Something that looks wrong, before it was looked at again alone. */
export interface Suspect {
  readonly code: FindingCode;
  readonly subject: string;
  readonly text: string;
  /** The blob that it is about: nobody may remove it while it is mended. */
  readonly digest?: Digest;
  /** Only hashing the blob's bytes tells whether it is damage. */
  readonly needsHash?: boolean;
  /** Mends it without loss. The repository's lock is held alone. */
  readonly mend?: () => Promise<void>;
}

export function findingOf(
  { code, subject, text, mend }: Suspect,
  where: { readonly repository?: RepositoryName; readonly isMended?: boolean } = {},
): Finding {
  const { repository, isMended = false } = where;
  return {
    code,
    subject,
    text,
    outcome: isMended ? "mended" : findingKinds[code],
    canMend: mend !== undefined,
    ...(repository !== undefined && { repository }),
  };
}
