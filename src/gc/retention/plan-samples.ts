/** What the tests of retention share: a repository written in a few words. */

import { type Glob, parseGlob } from "../../base/glob.ts";
import type { ManifestView, TagView } from "../../metadata/repository-view.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-type.ts";
import { nameOf, tagOf } from "../../oci/test-support.ts";
import type { RetentionFacts } from "./facts.ts";
import type { NumberedRule, RetentionRule } from "./rule.ts";

export const dayMs = 86_400_000;
/** The moment at which the samples' rules run. */
export const nowMs = Date.UTC(2026, 0, 100);

export function globsOf(...texts: readonly string[]): readonly Glob[] {
  return texts.map((text) => {
    const glob = parseGlob(text);
    if ("wrong" in glob) throw new Error(glob.wrong);
    return glob;
  });
}

type Keep = Partial<Omit<RetentionRule["keep"], "tags">> & { readonly tags?: readonly string[] };

export function ruleOf(
  said: { readonly keep?: Keep; readonly protect?: readonly string[]; readonly days?: number } = {},
): NumberedRule {
  const { keep = {}, protect = [], days } = said;
  return {
    number: 1,
    repositories: globsOf("**"),
    keep: { ...keep, tags: globsOf(...(keep.tags ?? [])) },
    protect: globsOf(...protect),
    ...(days !== undefined && { untaggedAfterMs: days * dayMs }),
  };
}

interface ManifestSaid {
  readonly tags?: readonly string[];
  readonly children?: readonly string[];
  readonly subject?: string;
  /** Days ago; 0 when it is not said. */
  readonly pushed?: number;
  readonly tagged?: number;
}

/** A repository of manifests by a made-up name, from which the digest follows. */
export function factsOf(
  said: Readonly<Record<string, ManifestSaid>>,
  more: Partial<RetentionFacts> = {},
): RetentionFacts {
  const manifests = Object.entries(said).map(
    ([name, it]): ManifestView => ({
      digest: digestOf(name),
      kind: it.children === undefined ? "image" : "index",
      mediaType: it.children === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex,
      sizeBytes: 500,
      pushedAtMs: nowMs - (it.pushed ?? 0) * dayMs,
      touchedAtMs: 0,
      ...(it.subject !== undefined && { subject: digestOf(it.subject) }),
      children: (it.children ?? []).map((child) => digestOf(child)),
    }),
  );
  const tags = Object.entries(said).flatMap(([name, { tags = [], pushed = 0, tagged = pushed }]) =>
    tags.map(
      (tag): TagView => ({
        tag: tagOf(tag),
        digest: digestOf(name),
        pushedAtMs: nowMs - tagged * dayMs,
      }),
    ),
  );
  return {
    repository: nameOf("team/app"),
    view: { isFrozen: false, tags: tags.toSorted((a, b) => (a.tag < b.tag ? -1 : 1)), manifests },
    lastPulls: [],
    lastUntagged: new Map(),
    leased: new Set(),
    elsewhere: new Set(),
    isImmutable: () => false,
    ...more,
  };
}

/** The tag by which cosign finds the signature of a manifest. */
export function signatureTag(name: string, suffix = ".sig"): string {
  return `${digestOf(name).replace(":", "-")}${suffix}`;
}
