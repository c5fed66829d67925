import type { ManifestStat } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { immutablePattern } from "./policy.ts";

/**
 * What the tag points to. Asked under the tag's lock before it is moved to `digest`, or removed
 * (`digest` undefined).
 *
 * @throws {RegistryError} `tagImmutable` when that may not happen to it.
 */
export async function findMovable(
  { name, tag, digest }: { name: RepositoryName; tag: Tag; digest: Digest | undefined },
  { lookup, policy }: Pick<RegistryContext, "lookup" | "policy">,
): Promise<ManifestStat | undefined> {
  const before = await lookup.findTag(name, tag);
  if (before === undefined || before.digest === digest) return before;
  const pattern = immutablePattern(name, tag, policy);
  if (pattern === undefined) return before;
  throw new RegistryError("tagImmutable", { name, tag, digest: before.digest, pattern });
}
