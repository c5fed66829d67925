import { unreachable } from "../../base/assert.ts";
import type { Digest } from "../../oci/digest.ts";

/** What decides about a tag. */
export type TagReason =
  // It stays …
  | { readonly kind: "noRule" }
  | { readonly kind: "immutable" }
  | { readonly kind: "protected"; readonly pattern: string }
  | { readonly kind: "unreadable" }
  | { readonly kind: "noCondition" }
  | { readonly kind: "notCovered" }
  | { readonly kind: "tags"; readonly pattern: string }
  | { readonly kind: "lastPushed"; readonly place: number; readonly max: number }
  | {
      readonly kind: "lastPerSemverMinor";
      readonly line: string;
      readonly place: number;
      readonly max: number;
    }
  | { readonly kind: "pulledWithin"; readonly atMs: number; readonly isPull: boolean }
  | { readonly kind: "subjectKept"; readonly subject: Digest }
  | { readonly kind: "subjectElsewhere" }
  // … or goes.
  | { readonly kind: "noneHolds" }
  | { readonly kind: "subjectGoes"; readonly subject: Digest }
  | { readonly kind: "subjectNowhere" };

/** What decides about a manifest that no tag points to. */
export type ManifestReason =
  | { readonly kind: "noRule" }
  | { readonly kind: "untaggedStay" }
  | { readonly kind: "reached" }
  | { readonly kind: "leased" }
  | { readonly kind: "recent"; readonly goesAtMs: number }
  | { readonly kind: "untagged"; readonly sinceMs: number }
  | { readonly kind: "withSubject" };

/** A sentence's end for people: `stays: …`, `goes: …`. */
export function describeTagReason(reason: TagReason): string {
  switch (reason.kind) {
    case "noRule":
      return "no rule names the repository";
    case "immutable":
      return "it is immutable";
    case "protected":
      return `protect ${reason.pattern}`;
    case "unreadable":
      return "its manifest is not there";
    case "noCondition":
      return "the rule has no keep condition";
    case "notCovered":
      return "it is no version, and the rule speaks of versions alone";
    case "tags":
      return `keep.tags ${reason.pattern}`;
    case "lastPushed":
      return `keep.lastpushed, ${reason.place} of ${reason.max}`;
    case "lastPerSemverMinor":
      return `keep.lastpersemverminor, ${reason.place} of ${reason.max} in ${reason.line}`;
    case "pulledWithin":
      return `keep.pulledwithin, ${reason.isPull ? "pulled" : "pushed"} ${timeOf(reason.atMs)}`;
    case "subjectKept":
      return `it follows ${shortOf(reason.subject)}, which stays`;
    case "subjectElsewhere":
      return "it belongs to a manifest that is not in this repository";
    case "noneHolds":
      return "no keep condition holds";
    case "subjectGoes":
      return `it follows ${shortOf(reason.subject)}, which goes`;
    case "subjectNowhere":
      return "it belongs to a manifest that is gone";
    default:
      return unreachable(reason);
  }
}

export function describeManifestReason(reason: ManifestReason): string {
  switch (reason.kind) {
    case "noRule":
      return "no rule names the repository";
    case "untaggedStay":
      return "the rule has no untaggedafter";
    case "reached":
      return "an index, a subject or a tag leads to it";
    case "leased":
      return "a client was told lately that it is there, or may have been before a crash";
    case "recent":
      return `untaggedafter, goes after ${timeOf(reason.goesAtMs)}`;
    case "untagged":
      return `untaggedafter, nothing has led to it since ${timeOf(reason.sinceMs)}`;
    case "withSubject":
      return "it follows a manifest that goes";
    default:
      return unreachable(reason);
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Enough of a digest to find it again. */
function shortOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(":") + 13);
}
