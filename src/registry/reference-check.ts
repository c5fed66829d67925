import type { Descriptor } from "../oci/descriptor.ts";
import { blobsOf, type Manifest } from "../oci/manifest.ts";
import { isNonDistributable } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { isChildRequired, isUrlAllowed } from "./policy.ts";

/**
 * Makes sure that what a manifest names is in the repository, in the storage itself and not
 * only in the metadata store. A `subject` need not be (distribution-spec, "Pushing Manifests
 * with Subject").
 *
 * @throws {RegistryError} `manifestBlobUnknown` with one further error a missing digest, or
 * `manifestUrlDenied`.
 */
export async function checkReferences(
  name: RepositoryName,
  manifest: Manifest,
  context: RegistryContext,
): Promise<void> {
  const { validation } = context.policy;
  if (!validation.isEnabled) return;
  const missing: Descriptor[] = [];
  for (const blob of blobsOf(manifest)) {
    if (isElsewhere(blob, context)) continue;
    if (!(await hasBlob(name, blob, context))) missing.push(blob);
  }
  for (const child of manifest.manifests) {
    if (!isChildRequired(child.platform, validation.indexes)) continue;
    if (!(await hasChild(name, child, context))) missing.push(child);
  }
  if (missing.length > 0) throw missingError(name, missing);
}

/** True for a layer that clients fetch from its `urls`; refuses those that are not allowed. */
function isElsewhere(blob: Descriptor, { policy }: RegistryContext): boolean {
  for (const url of blob.urls ?? []) {
    if (!isUrlAllowed(url, policy.validation.urls)) {
      throw new RegistryError("manifestUrlDenied", { url });
    }
  }
  return isNonDistributable(blob.mediaType) && (blob.urls ?? []).length > 0;
}

/**
 * What is there is also made durable, here and below: its client may have been killed with its
 * registry before that, and this one was told that it need not push it again.
 */
async function hasBlob(
  name: RepositoryName,
  { digest }: Descriptor,
  { lookup, links, blobs }: RegistryContext,
): Promise<boolean> {
  if ((await lookup.findBlob(name, digest)) === undefined) return false;
  await links.settleLayer(name, digest);
  await blobs.settle(digest);
  return true;
}

/** Children are manifests; in buildkit's older cache indexes they are layer blobs. */
async function hasChild(
  name: RepositoryName,
  child: Descriptor,
  context: RegistryContext,
): Promise<boolean> {
  const { lookup, links, blobs } = context;
  if ((await lookup.findManifest(name, child.digest)) === undefined) {
    return hasBlob(name, child, context);
  }
  if (blobs.content(child.digest) === undefined) return false;
  await links.settleRevision(name, child.digest);
  await blobs.settle(child.digest);
  return true;
}

function missingError(name: RepositoryName, missing: readonly Descriptor[]): RegistryError {
  const errors = missing.map(
    ({ digest }) => new RegistryError("manifestBlobUnknown", { digest, name }),
  );
  const [first, ...others] = errors;
  return new RegistryError("manifestBlobUnknown", first?.facts, { others });
}
