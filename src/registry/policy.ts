import type { Platform } from "../oci/platform.ts";

/** What this registry allows, from its configuration. */
export interface RegistryPolicy {
  readonly isReadOnly: boolean;
  readonly isDeleteEnabled: boolean;
  readonly manifestSizeBytesMax: number;
  readonly tagsPerRequestMax: number;
  readonly uploadsPerRepositoryMax: number;
  readonly validation: ValidationPolicy;
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

export type UrlPolicy =
  | { readonly kind: "all" }
  | { readonly kind: "rules"; readonly allow: readonly RegExp[]; readonly deny: readonly RegExp[] };

export type IndexPolicy =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "list"; readonly platforms: readonly Platform[] };

/**
 * True when a layer may name `url`. Berth itself never fetches it; clients do.
 *
 * As in Distribution, only http and https without a fragment, one `allow` must match when rules
 * are given (none given: nothing is allowed), and no `deny` may.
 */
export function isUrlAllowed(url: string, policy: UrlPolicy): boolean {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return false;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return false;
  if (url.includes("#")) return false;
  if (policy.kind === "all") return true;
  return (
    policy.allow.some((pattern) => pattern.test(url)) &&
    !policy.deny.some((pattern) => pattern.test(url))
  );
}

/** True when a child for `platform` has to be in the repository before its index. */
export function isChildRequired(platform: Platform | undefined, policy: IndexPolicy): boolean {
  if (policy.kind !== "list") return policy.kind === "all";
  return policy.platforms.some(
    (listed) => listed.os === platform?.os && listed.architecture === platform.architecture,
  );
}
