/** A token service for tests: keys, certificates and a signer of its own, not that of jose. */

import {
  constants,
  createHmac,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { writeFileSync } from "node:fs";
import { type CertificateIssuer, certificatePem, issueCertificate } from "../base/certificate.ts";
import { systemRandom } from "../base/random.ts";
import { FakeClock, recordingLogger, temporaryFolder } from "../base/test-support.ts";
import type { Access, Action } from "../oci/scope.ts";
import { nameOf } from "../oci/test-support.ts";
import type { Authenticator, Decision } from "./authenticator.ts";
import { withAuthorization } from "./test-support.ts";
import { openTokenAuthenticator, type TokenOptions } from "./token.ts";

export const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const ed = generateKeyPairSync("ed25519");
export const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
/** The key of somebody who would like to be the token service. */
export const mallory = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const secret = createSecretKey(Buffer.alloc(48, 7));

/** The moment at which the fake clock of these tests starts. */
export const startSeconds = Date.UTC(2026, 0, 1) / 1_000;

export const claims = {
  iss: "https://auth.example",
  aud: "registry.example",
  sub: "alice",
  iat: startSeconds,
  nbf: startSeconds,
  exp: startSeconds + 300,
  access: [{ type: "repository", name: "team/app", actions: ["pull", "push"] }],
};

export function jwkOf(key: KeyObject, kid: string): object {
  return { ...key.export({ format: "jwk" }), kid };
}

/** `header` and `payload`, signed as `alg` says, which the header need not say. */
export function token(
  header: Readonly<Record<string, unknown>> | string,
  payload: Readonly<Record<string, unknown>> | string,
  signer: { readonly alg: string; readonly key: KeyObject },
): string {
  const [head, body] = [header, payload].map((part) =>
    Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url"),
  );
  const signed = `${head}.${body}`;
  return `${signed}.${signature(signed, signer).toString("base64url")}`;
}

function signature(
  signed: string,
  { alg, key }: { readonly alg: string; readonly key: KeyObject },
): Buffer {
  const bytes = Buffer.from(signed);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith("HS")) return createHmac(hash, key.export()).update(bytes).digest();
  if (alg === "EdDSA") return sign(undefined, bytes, key);
  if (alg.startsWith("ES")) return sign(hash, bytes, { key, dsaEncoding: "ieee-p1363" });
  if (alg.startsWith("PS")) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return sign(hash, bytes, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
  }
  return sign(hash, bytes, key);
}

const dayMs = 86_400_000;

/** A certificate that is good for ten days around the start, unless `days` says otherwise. */
export function certificate(
  commonName: string,
  options: {
    readonly isAuthority: boolean;
    readonly issuer?: CertificateIssuer;
    readonly days?: readonly [from: number, to: number];
  },
): CertificateIssuer & { readonly base64: string } {
  const [from, to] = options.days ?? [-5, 5];
  const issued = issueCertificate({
    commonName,
    role: options.isAuthority
      ? { kind: "authority" }
      : { kind: "server", dnsNames: [commonName], ipAddresses: [] },
    issuer: options.issuer,
    notBeforeMs: startSeconds * 1_000 + from * dayMs,
    notAfterMs: startSeconds * 1_000 + to * dayMs,
    random: systemRandom,
  });
  return { ...issued, base64: Buffer.from(issued.certificate).toString("base64") };
}

export const authority = certificate("token authority", { isAuthority: true });
export const service = certificate("token service", { isAuthority: false, issuer: authority });

const bundleText =
  rsa.publicKey.export({ type: "spki", format: "pem" }) + certificatePem(authority.certificate);
const jwksText = JSON.stringify({
  keys: [
    jwkOf(rsa.publicKey, "rsa"),
    jwkOf(ed.publicKey, "ed"),
    jwkOf(p256.publicKey, "p256"),
    jwkOf(p384.publicKey, "p384"),
    { kty: "oct", k: secret.export().toString("base64url"), kid: "secret" },
  ],
});

export const rs256 = { alg: "RS256", key: rsa.privateKey };
const pull: readonly Access[] = [repository("team/app", "pull")];
export const base: readonly Access[] = [{ kind: "base" }];

export function repository(text: string, ...actions: readonly Action[]): Access {
  return { kind: "repository", name: nameOf(text), actions };
}

interface Opened extends Disposable {
  readonly auth: Authenticator;
  readonly clock: FakeClock;
  readonly logger: ReturnType<typeof recordingLogger>;
  readonly jwksPath: string;
  decide(bearer: string, accesses?: readonly Access[]): Decision | Promise<Decision>;
}

export function open(options: Partial<TokenOptions> = {}): Opened {
  const folder = temporaryFolder();
  const jwksPath = folder.file("jwks.json");
  const rootCertBundlePath = folder.file("bundle.pem");
  writeFileSync(jwksPath, jwksText);
  writeFileSync(rootCertBundlePath, bundleText);
  const clock = new FakeClock();
  const logger = recordingLogger();
  const auth = openTokenAuthenticator({
    realm: "https://auth.example/token",
    service: "registry.example",
    issuer: "https://auth.example",
    rootCertBundlePath,
    jwksPath,
    signingAlgorithms: [],
    clock,
    logger,
    ...options,
  });
  return {
    auth,
    clock,
    logger,
    jwksPath,
    decide: (bearer, accesses = pull) =>
      auth.decide(withAuthorization(`Bearer ${bearer}`), accesses),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

export function challenge(parameters: string): Decision {
  return {
    kind: "challenge",
    challenge: `Bearer realm="https://auth.example/token",service="registry.example"${parameters}`,
    reason: "unauthorized",
  };
}

export const alice: Decision = { kind: "granted", identity: { kind: "token", name: "alice" } };
export const invalid = challenge(',scope="repository:team/app:pull",error="invalid_token"');

export function good(extra: Readonly<Record<string, unknown>> = {}): string {
  return token({ typ: "JWT", alg: "RS256", kid: "rsa" }, { ...claims, ...extra }, rs256);
}

export function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
