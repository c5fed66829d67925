import {
  createHash,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  type webcrypto,
  X509Certificate,
} from "node:crypto";
import { messageOf } from "../base/errors.ts";

/** A key that may have signed a token, and the algorithms that go with it and with no other. */
export interface TrustedKey {
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

/** What a file of keys gives. */
export interface KeyFile {
  /** Every key under each name that a token's `kid` may use for it. */
  readonly byId: ReadonlyMap<string, TrustedKey>;
  /** Certificates that a chain in `x5c` may end at. */
  readonly roots: readonly X509Certificate[];
  /** What in the file is not used, one sentence each. */
  readonly complaints: readonly string[];
}

/** jose refuses shorter ones when they are used; the log should tell before that. */
const rsaBitsMin = 2048;
/** RFC 7518, 3.2: a secret has at least as many bits as the hash. */
const secretBytesMin = 32;

const rsaAlgorithms = ["RS256", "RS384", "RS512"];
const pssAlgorithms = ["PS256", "PS384", "PS512"];
const curveAlgorithms: ReadonlyMap<string, readonly string[]> = new Map([
  ["prime256v1", ["ES256"]],
  ["secp384r1", ["ES384"]],
  ["secp521r1", ["ES512"]],
]);

/**
 * Reads a bundle of PEM blocks: certificates, whose keys are trusted and which are roots for
 * chains, and plain public keys.
 *
 * @throws {Error} when a block is damaged.
 */
export function parsePemBundle(text: string): KeyFile {
  const byId = new Map<string, TrustedKey>();
  const roots: X509Certificate[] = [];
  const complaints: string[] = [];
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g);
  for (const [pem, kind = ""] of blocks) {
    if (kind === "CERTIFICATE") {
      const certificate = new X509Certificate(pem);
      roots.push(certificate);
      addKey({ byId, complaints }, certificate.publicKey);
    } else if (kind === "PUBLIC KEY" || kind === "RSA PUBLIC KEY") {
      addKey({ byId, complaints }, createPublicKey(pem));
    } else {
      complaints.push(`a block of kind ${kind} is not used: only certificates and public keys are`);
    }
  }
  return { byId, roots, complaints };
}

/**
 * Reads a JSON Web Key Set (RFC 7517, 5). A key that cannot be used is a complaint.
 *
 * @throws {Error} when the file is not a key set.
 */
export function parseJwks(text: string): KeyFile {
  const byId = new Map<string, TrustedKey>();
  const complaints: string[] = [];
  const set: unknown = JSON.parse(text);
  if (!isRecord(set) || !Array.isArray(set["keys"])) {
    throw new Error("a key set is an object with a list of keys");
  }
  const keys: readonly unknown[] = set["keys"];
  for (const [index, jwk] of keys.entries()) {
    try {
      if (!isRecord(jwk)) throw new Error("it is not an object");
      if (jwk["use"] !== undefined && jwk["use"] !== "sig") throw new Error("it is not to sign");
      addKey({ byId, complaints }, keyOf(jwk), jwk);
    } catch (cause) {
      complaints.push(`key ${index + 1} of the set is not used: ${messageOf(cause)}`);
    }
  }
  return { byId, roots: [], complaints };
}

/** A private key in the set stands for its public half; the private half is not kept. */
function keyOf(jwk: Readonly<Record<string, unknown>>): KeyObject {
  if (jwk["kty"] !== "oct") return createPublicKey({ key: publicPart(jwk), format: "jwk" });
  const secret = Buffer.from(textOf(jwk["k"]), "base64url");
  if (secret.byteLength < secretBytesMin) {
    throw new Error(`a secret has ${secretBytesMin} bytes at least`);
  }
  return createSecretKey(secret);
}

function publicPart(jwk: Readonly<Record<string, unknown>>): webcrypto.JsonWebKey {
  const key: webcrypto.JsonWebKey = { kty: textOf(jwk["kty"]) };
  for (const name of ["crv", "x", "y", "n", "e"] as const) {
    if (jwk[name] !== undefined) key[name] = textOf(jwk[name]);
  }
  return key;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("a member is missing or not a string");
  return value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Target {
  readonly byId: Map<string, TrustedKey>;
  readonly complaints: string[];
}

function addKey(
  { byId, complaints }: Target,
  key: KeyObject,
  jwk: Readonly<Record<string, unknown>> = {},
): void {
  const { kid, alg } = jwk;
  const algorithms = algorithmsFor(key).filter((name) => alg === undefined || alg === name);
  if (algorithms.length === 0) {
    complaints.push(whyUnfit(key, alg));
    return;
  }
  const trusted = { key, algorithms };
  if (key.type === "public") {
    byId.set(libtrustId(key), trusted);
    byId.set(thumbprint(key), trusted);
  }
  if (typeof kid === "string" && kid !== "") byId.set(kid, trusted);
}

function whyUnfit(key: KeyObject, alg: unknown): string {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < rsaBitsMin) {
    return `an RSA key has ${bits} bits, and ${rsaBitsMin} is the least`;
  }
  const type = key.asymmetricKeyType ?? "oct";
  return alg === undefined
    ? `a key of type ${type} fits no algorithm`
    : `a key of type ${type} is not one for its alg, ${JSON.stringify(alg)}`;
}

/** The algorithms that a key may be used with; empty when it may be used with none. */
export function algorithmsFor(key: KeyObject): readonly string[] {
  if (key.type === "secret") return ["HS256", "HS384", "HS512"];
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "rsa") {
    return modulusLength < rsaBitsMin ? [] : [...rsaAlgorithms, ...pssAlgorithms];
  }
  if (key.asymmetricKeyType === "ec") return curveAlgorithms.get(namedCurve) ?? [];
  return key.asymmetricKeyType === "ed25519" ? ["EdDSA"] : [];
}

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const libtrustBytes = 30;

/**
 * The name that Docker's libtrust gave to a key, and token services for Distribution 2 use: the
 * first 240 bits of the SHA-256 of its DER form, in base32, as twelve groups of four.
 */
function libtrustId(key: KeyObject): string {
  const der = key.export({ type: "spki", format: "der" });
  const digest = createHash("sha256").update(der).digest().subarray(0, libtrustBytes);
  const bits = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const text = (bits.match(/.{5}/g) ?? [])
    .map((five) => base32Alphabet.charAt(Number.parseInt(five, 2)))
    .join("");
  return (text.match(/.{4}/g) ?? []).join(":");
}

/** The name that Distribution 3 uses: the SHA-256 thumbprint of RFC 7638 in base64url. */
function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: "jwk" });
  // The members of RFC 7638, 3.2 in the order of their names; those that are undefined fall out.
  const canonical = JSON.stringify({ crv, e, kty, n, x, y });
  return createHash("sha256").update(canonical).digest("base64url");
}
