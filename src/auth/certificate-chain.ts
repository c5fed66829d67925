import { type KeyObject, X509Certificate } from "node:crypto";

/** Signer, three intermediates and a root are more than any token service has. */
const chainLengthMax = 5;

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * The public key of the first certificate in `x5c` (RFC 7515, 4.1.6), when the others lead from
 * it to one of `roots`; undefined when they do not.
 *
 * Every certificate must be within its time at `nowMs`, and whoever issued another must be a
 * certificate authority. A certificate that is itself in `roots` needs no chain.
 */
export function keyOfChain(
  x5c: readonly unknown[],
  roots: readonly X509Certificate[],
  nowMs: number,
): KeyObject | undefined {
  if (x5c.length > chainLengthMax) return undefined;
  const chain = certificatesOf(x5c);
  const signer = chain?.[0];
  if (chain === undefined || signer === undefined) return undefined;

  let current = signer;
  const intermediates = chain.slice(1);
  for (let step = 0; step < chainLengthMax; step += 1) {
    if (!isWithinItsTime(current, nowMs)) return undefined;
    if (isTrusted(current, roots, nowMs)) return signer.publicKey;
    const issued = current;
    const issuer = intermediates.find((candidate) => hasIssued(candidate, issued));
    if (issuer === undefined) return undefined;
    current = issuer;
  }
  return undefined;
}

function certificatesOf(x5c: readonly unknown[]): readonly X509Certificate[] | undefined {
  const certificates: X509Certificate[] = [];
  for (const text of x5c) {
    if (typeof text !== "string" || !base64.test(text)) return undefined;
    try {
      certificates.push(new X509Certificate(Buffer.from(text, "base64")));
    } catch {
      return undefined;
    }
  }
  return certificates;
}

function isTrusted(
  certificate: X509Certificate,
  roots: readonly X509Certificate[],
  nowMs: number,
): boolean {
  return roots.some(
    (root) =>
      root.raw.equals(certificate.raw) ||
      (isWithinItsTime(root, nowMs) && hasIssued(root, certificate)),
  );
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isWithinItsTime({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo);
}
