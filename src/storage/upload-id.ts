/**
 * What the Location of an upload ends in: a version 4 UUID, which nobody can guess.
 *
 * Only {@link parseUploadId} makes one, so it is always safe to build a path from.
 */
export type UploadId = string & { readonly __brand: "UploadId" };

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The upload id that `text` spells, in lower case, or undefined when it is not one. */
export function parseUploadId(text: string): UploadId | undefined {
  const lower = text.toLowerCase();
  return isUploadId(lower) ? lower : undefined;
}

function isUploadId(text: string): text is UploadId {
  return pattern.test(text);
}
