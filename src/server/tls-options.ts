import { constants, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import type { TlsConfig } from "../config/config.ts";

/** What `http.tls` says, in the words of Bun.serve and of node:tls, which share them. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string[];
  readonly ciphers: string;
  readonly secureOptions: number;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** The options, and what the log says about the certificate. */
export interface TlsMaterial {
  readonly options: TlsOptions;
  readonly subject: string;
  readonly validUntilMs: number;
}

/**
 * The suites of TLS 1.2 by their IANA names (RFC 5246 and others), as OpenSSL calls them. Those of
 * TLS 1.3 are not in it: there nothing is chosen, and all three are good.
 */
const opensslNames: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
  TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
  TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
};

/** With the three of TLS 1.3, the nine that Distribution offers when none is configured. */
const modernSuites: readonly string[] = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/**
 * Reads the files of `http.tls`.
 *
 * @throws {Error} with a sentence that names the key of the configuration and the file.
 */
export function readTlsMaterial(tls: TlsConfig): TlsMaterial {
  const cert = readPem(tls.certificatePath, "http.tls.certificate");
  const key = readPem(tls.keyPath, "http.tls.key");
  const certificate = parseCertificate(cert, tls.certificatePath);
  if (!certificate.checkPrivateKey(parseKey(key, tls.keyPath))) {
    throw new Error(
      `http.tls: the key in ${tls.keyPath} is not that of the certificate in ${tls.certificatePath}`,
    );
  }
  const suites = tls.cipherSuites ?? modernSuites;
  const chosen = suites.flatMap((name) => opensslNames[name] ?? []);
  // Suites of TLS 1.3 alone leave TLS 1.2 nothing to agree on; an empty list would mean all.
  const isOnlyNewest = tls.minimumVersion === "tls1.3" || chosen.length === 0;
  return {
    subject: certificate.subject,
    validUntilMs: Date.parse(certificate.validTo),
    options: {
      cert,
      key,
      ciphers: (chosen.length === 0
        ? modernSuites.flatMap((name) => opensslNames[name] ?? [])
        : chosen
      ).join(":"),
      // Bun.serve has no documented minVersion; these options do the same, and are documented.
      secureOptions:
        constants.SSL_OP_NO_TLSv1 |
        constants.SSL_OP_NO_TLSv1_1 |
        (isOnlyNewest ? constants.SSL_OP_NO_TLSv1_2 : 0),
      ...clientCertificateOptions(tls),
    },
  };
}

/** The files whose change means that the material has to be read again. */
export function tlsPaths(tls: TlsConfig): readonly string[] {
  return [tls.certificatePath, tls.keyPath, ...(tls.clientCertificates?.caPaths ?? [])];
}

function clientCertificateOptions({
  clientCertificates,
}: TlsConfig): Pick<TlsOptions, "ca" | "requestCert" | "rejectUnauthorized"> {
  if (clientCertificates === undefined) return { requestCert: false, rejectUnauthorized: false };
  const ca = clientCertificates.caPaths.map((path) => {
    const text = readPem(path, "http.tls.clientcas");
    parseCertificate(text, path);
    return text;
  });
  // The handshake asks for a certificate in every mode, and judges it in one of them.
  const rejectUnauthorized = clientCertificates.mode === "require-and-verify-client-cert";
  return { ca, requestCert: true, rejectUnauthorized };
}

function readPem(path: string, key: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`${key}: ${path} cannot be read (${messageOf(cause)})`, { cause });
  }
}

/** The first certificate of a file, which is the server's own. */
function parseCertificate(text: string, path: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new Error(`http.tls: ${path} does not begin with a certificate in PEM form`, { cause });
  }
}

function parseKey(text: string, path: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new Error(
      `http.tls.key: ${path} does not hold a private key in PEM form without a passphrase`,
      { cause },
    );
  }
}
