import { assert } from "../base/assert.ts";

/**
 * A content address: `algorithm:encoded`, both validated (image-spec, descriptor, "Digests").
 *
 * Only {@link parseDigest} makes one, so a `Digest` is always safe to build a path from.
 */
export type Digest = string & { readonly __brand: "Digest" };

/** The algorithms that Berth accepts; both are registered by the image specification. */
export type DigestAlgorithm = "sha256" | "sha512";

export const digestAlgorithms: readonly DigestAlgorithm[] = ["sha256", "sha512"];

const hexLengths: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };
const pattern = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

/** The digest that `text` spells, or undefined when it is not exactly one. */
export function parseDigest(text: string): Digest | undefined {
  return isDigest(text) ? text : undefined;
}

function isDigest(text: string): text is Digest {
  return pattern.test(text);
}

/** True for `name` of an algorithm that Berth accepts. */
export function isDigestAlgorithm(name: string): name is DigestAlgorithm {
  return Object.hasOwn(hexLengths, name);
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha256:") ? "sha256" : "sha512";
}

/** The lower-case hexadecimal part. */
export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** What computes a digest over bytes that come piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** The digest of all bytes so far; the hasher goes on afterwards. */
  digest(): Digest;
}

/** A new hasher over no bytes. Bun's own: it uses the CPU's SHA instructions. */
export function createHasher(algorithm: DigestAlgorithm): Hasher {
  const inner = new Bun.CryptoHasher(algorithm);
  return {
    update: (bytes) => void inner.update(bytes),
    digest: () => digestFromHex(algorithm, inner.copy().digest("hex")),
  };
}

/** The digest of `bytes`. */
export function digestOf(
  bytes: Uint8Array | string,
  algorithm: DigestAlgorithm = "sha256",
): Digest {
  return digestFromHex(algorithm, new Bun.CryptoHasher(algorithm).update(bytes).digest("hex"));
}

function digestFromHex(algorithm: DigestAlgorithm, hex: string): Digest {
  const text = `${algorithm}:${hex}`;
  assert(isDigest(text), "a computed digest is well formed");
  return text;
}
