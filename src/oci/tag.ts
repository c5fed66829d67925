import { type Digest, parseDigest } from "./digest.ts";

/** A name for a manifest inside one repository; case-sensitive. */
export type Tag = string & { readonly __brand: "Tag" };

/** What the last path element of a manifest URL may be. */
export type Reference =
  | { readonly kind: "tag"; readonly tag: Tag }
  | { readonly kind: "digest"; readonly digest: Digest };

const pattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The tag that `text` spells, or undefined when it is not exactly one. */
export function parseTag(text: string): Tag | undefined {
  return isTag(text) ? text : undefined;
}

function isTag(text: string): text is Tag {
  return pattern.test(text);
}

/** Tells a tag from a digest by the colon, which no tag may contain. */
export function parseReference(text: string): Reference | undefined {
  if (text.includes(":")) {
    const digest = parseDigest(text);
    return digest === undefined ? undefined : { kind: "digest", digest };
  }
  const tag = parseTag(text);
  return tag === undefined ? undefined : { kind: "tag", tag };
}
