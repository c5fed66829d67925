/** A certificate authority as a company runs its own, and one certificate signed by it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./processes.ts";

export interface PrivateAuthority {
  /** The authority's certificate, in PEM. */
  readonly certificate: string;
  readonly certificateFile: string;
  /** What the server is given. */
  readonly serverCertificateFile: string;
  readonly serverKeyFile: string;
  /** Holds `ca.crt` alone, as docker's `certs.d` and skopeo's `--cert-dir` want it. */
  readonly certsFolder: string;
}

/** The host name in the certificate, beside localhost and 127.0.0.1. */
export const registryHostName = "registry.test";

export async function createPrivateAuthority(folder: string): Promise<PrivateAuthority> {
  const certsFolder = join(folder, "certs");
  mkdirSync(certsFolder, { recursive: true });
  const certificateFile = join(certsFolder, "ca.crt");
  const authorityKey = join(folder, "ca.key");
  const serverKeyFile = join(folder, "server.key");
  const serverCertificateFile = join(folder, "server.crt");
  const request = join(folder, "server.csr");
  const extensions = join(folder, "extensions");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

  await run([
    "openssl",
    "req",
    "-x509",
    "-days",
    "30",
    "-subj",
    "/CN=A company's own authority",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign",
    ...newKey,
    "-keyout",
    authorityKey,
    "-out",
    certificateFile,
  ]);
  await run([
    "openssl",
    "req",
    "-new",
    "-subj",
    `/CN=${registryHostName}`,
    ...newKey,
    "-keyout",
    serverKeyFile,
    "-out",
    request,
  ]);
  writeFileSync(
    extensions,
    [
      `subjectAltName=DNS:${registryHostName},DNS:localhost,IP:127.0.0.1`,
      "keyUsage=critical,digitalSignature",
      "extendedKeyUsage=serverAuth",
      "",
    ].join("\n"),
  );
  await run([
    "openssl",
    "x509",
    "-req",
    "-days",
    "20",
    "-in",
    request,
    "-extfile",
    extensions,
    "-CA",
    certificateFile,
    "-CAkey",
    authorityKey,
    "-CAcreateserial",
    "-out",
    serverCertificateFile,
  ]);
  return {
    certificate: readFileSync(certificateFile, "utf8"),
    certificateFile,
    serverCertificateFile,
    serverKeyFile,
    certsFolder,
  };
}
