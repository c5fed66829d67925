import { type Glob, matchesAny } from "../base/glob.ts";
import type { Platform } from "../oci/platform.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";

/** What this registry allows, from its configuration. */
export interface RegistryPolicy {
  readonly uploadsPerRepositoryMax: number;
  readonly validation: ValidationPolicy;
  /** How long an answer "this blob exists" keeps the blob from collection, in milliseconds. */
  readonly leaseMs: number;
  /** How long what was deleted can be taken back, in milliseconds; 0 when it cannot. */
  readonly trashRetentionMs: number;
  readonly immutableTags: readonly ImmutableTags[];
}

/** Tags that, once set, stay what they are; those of `except` are not among them. */
export interface ImmutableTags {
  readonly repositories: readonly Glob[];
  readonly tags: readonly Glob[];
  readonly except: readonly Glob[];
}

/** The pattern that makes the tag immutable; undefined when it may move. */
export function immutablePattern(
  name: RepositoryName,
  tag: Tag,
  { immutableTags }: RegistryPolicy,
): string | undefined {
  for (const { repositories, tags, except } of immutableTags) {
    if (!matchesAny(repositories, name) || matchesAny(except, tag)) continue;
    const pattern = tags.find((glob) => glob.matches(tag));
    if (pattern !== undefined) return pattern.text;
  }
  return undefined;
}

/** `validation.*` of the configuration: what a manifest may name. */
export interface ValidationPolicy {
  /** False switches every check of references off. */
  readonly isEnabled: boolean;
  /** Which URLs a layer that is not pushed may name. */
  readonly urls: UrlPolicy;
  /** Which children of an index must be in the repository. */
  readonly indexes: IndexPolicy;
}

/** A URL must match one of `allow`, if there are any, and none of `deny`. */
export interface UrlPolicy {
  readonly allow: readonly RegExp[];
  readonly deny: readonly RegExp[];
}

export type IndexPolicy =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "list"; readonly platforms: readonly Platform[] };

/**
 * True when a layer may name `url`: http or https, without a fragment, within the rules. Berth
 * itself never fetches it; clients do.
 */
export function isUrlAllowed(url: string, { allow, deny }: UrlPolicy): boolean {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") return false;
  if (url.includes("#")) return false;
  if (allow.length > 0 && !allow.some((pattern) => pattern.test(url))) return false;
  return !deny.some((pattern) => pattern.test(url));
}

/** True when a child for `platform` has to be in the repository before its index. */
export function isChildRequired(platform: Platform | undefined, policy: IndexPolicy): boolean {
  if (policy.kind !== "list") return policy.kind === "all";
  return policy.platforms.some(
    (listed) => listed.os === platform?.os && listed.architecture === platform.architecture,
  );
}
