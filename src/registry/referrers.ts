import type { Page } from "../metadata/metadata-store.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { algorithmOf, type Digest, hexOf } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { parseTag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { type PageOf, pageOf } from "./page.ts";

/** Who has this manifest as subject (distribution-spec end-12). */
export class Referrers {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** Referrers in the order of their digests. Empty for a subject or repository that is not there. */
  async list(
    name: RepositoryName,
    subject: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<PageOf<Descriptor>> {
    const { adoption, metadata } = this.#context;
    await adoption.adopt(name);
    const adopted = await this.#fallbackReferrers(name, subject);
    return pageOf(page, async (wider) => {
      const found = await metadata.listReferrers(name, subject, { ...page, ...wider });
      return merge(found, adopted, { ...page, ...wider });
    });
  }

  /**
   * Referrers that a client without the API has listed in an index under the subject's fallback
   * tag. The registry MUST show them once it has the API ("Enabling the Referrers API").
   */
  async #fallbackReferrers(name: RepositoryName, subject: Digest): Promise<readonly Descriptor[]> {
    const { lookup, reader } = this.#context;
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject).slice(0, 64)}`);
    const found = tag === undefined ? undefined : await lookup.findTag(name, tag);
    if (found === undefined) return [];
    const index = await reader.parsed(found.digest);
    const referrers: Descriptor[] = [];
    for (const child of index?.manifest.manifests ?? []) {
      // Clients leave deleted referrers behind in their index.
      if ((await lookup.findManifest(name, child.digest)) !== undefined) referrers.push(child);
    }
    return referrers;
  }
}

/** One page of both lists: a digest that stands in both comes from the first. */
function merge(
  found: readonly Descriptor[],
  adopted: readonly Descriptor[],
  page: Page & { readonly artifactType?: string },
): readonly Descriptor[] {
  if (adopted.length === 0) return found;
  const byDigest = new Map(found.map((descriptor) => [descriptor.digest, descriptor]));
  for (const descriptor of adopted) {
    if (page.after !== undefined && descriptor.digest <= page.after) continue;
    if (page.artifactType !== undefined && descriptor.artifactType !== page.artifactType) continue;
    if (!byDigest.has(descriptor.digest)) byDigest.set(descriptor.digest, descriptor);
  }
  const merged = [...byDigest.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return merged.slice(0, page.limit);
}
