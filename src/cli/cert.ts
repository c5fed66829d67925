/**
 * `berth cert init HOST…`: a private certificate authority and a server certificate, and where
 * each client wants the authority. For networks where no public authority issues certificates.
 *
 *   certs/
 *     ca.crt         the authority: what clients are given
 *     ca.key         its key; whoever has it can pose as any host to these clients
 *     registry.crt   the server's certificate, and the authority's behind it
 *     registry.key   its key
 *
 * An authority that is there already is used again, so that clients have to learn one only once.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type CertificateIssuer, certificatePem, issueCertificate } from "../base/certificate.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { certificateAdvice } from "./cert-advice.ts";
import type { ExitCode } from "./htpasswd.ts";
import type { TextOutput } from "./password-input.ts";
import { isPort, parseRegistryHost, portMax, type RegistryHost } from "./registry-host.ts";
import { readText, replaceText } from "./text-file.ts";

export interface CertificateOptions {
  /** Names and addresses that clients will use, each with a port or without. */
  readonly hosts: readonly string[];
  readonly folder: string;
  /** The port of hosts that come without one; it stands in the paths that are printed. */
  readonly port: number;
  /** Whether a server certificate that is there may be replaced. The authority never is. */
  readonly force: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Outputs {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
}

const dayMs = 86_400_000;
/** Clients whose clock is behind should not have to wait. */
const backdateMs = 3_600_000;
const authorityDays = 3_650;
/** Apple's clients refuse server certificates for longer. */
const serverDays = 825;

/** A sentence for the person, where going on would harm or help nobody. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Makes what is missing, then prints what to do with it. Exit code 2 when it refuses to. */
export async function initCertificates(
  options: CertificateOptions,
  { stdout, stderr }: Outputs,
): Promise<ExitCode> {
  const folder = resolve(options.folder);
  const paths = {
    authority: join(folder, "ca.crt"),
    authorityKey: join(folder, "ca.key"),
    certificate: join(folder, "registry.crt"),
    key: join(folder, "registry.key"),
  };
  try {
    const hosts = parseHosts(options);
    if (!options.force) {
      for (const path of [paths.certificate, paths.key]) {
        if ((await readText(path)) === undefined) continue;
        throw new Refusal(`${path} is there already; --force replaces it, and keeps the authority`);
      }
    }
    await mkdir(folder, { recursive: true });
    const found = await readAuthority(paths, options.clock.nowMs());
    const authority = found ?? issueAuthority(options);
    if (found === undefined) {
      await writeWhole(
        paths.authorityKey,
        { text: keyPem(authority), mode: 0o600 },
        options.random,
      );
      await writeWhole(paths.authority, { text: pem(authority), mode: 0o644 }, options.random);
    }
    const server = issueServer(hosts, authority, options);
    // The certificate last: who watches it finds the key that belongs to it.
    await writeWhole(paths.key, { text: keyPem(server), mode: 0o600 }, options.random);
    const chain = pem(server) + pem(authority);
    await writeWhole(paths.certificate, { text: chain, mode: 0o644 }, options.random);

    const until = new X509Certificate(server.certificate).validTo;
    stdout.write(
      `${found === undefined ? "Made" : "Used"} the authority ${paths.authority}\n` +
        `Made ${paths.certificate} for ${hosts.map(({ name }) => name).join(", ")}, until ${until}\n` +
        `Keep ${paths.authorityKey} to yourself: whoever has it can pose as any host.\n\n`,
    );
    stdout.write(certificateAdvice(paths, hosts));
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    stderr.write(`${error.message}\n`);
    return 2;
  }
}

function parseHosts({ hosts, port }: CertificateOptions): readonly RegistryHost[] {
  if (hosts.length === 0) throw new Refusal("name at least one host that clients will use");
  return hosts.map((text) => {
    const host = parseRegistryHost(text, port);
    if (host === undefined) throw new Refusal(whyNoHost(text, port));
    return host;
  });
}

function whyNoHost(text: string, defaultPort: number): string {
  const port = /^[^/]*[^:]:([0-9]+)$/.exec(text)?.[1] ?? String(defaultPort);
  return isPort(Number(port))
    ? `${JSON.stringify(text)} is not a host: write a name or an address, such as registry.example`
    : `${port} is not a port: they go from 1 to ${portMax}`;
}

function issueAuthority({ clock, random }: CertificateOptions): CertificateIssuer {
  const notBeforeMs = clock.nowMs() - backdateMs;
  // The year keeps two authorities apart in a list of many.
  const year = new Date(clock.nowMs()).getUTCFullYear();
  return issueCertificate({
    commonName: `Berth private authority ${year}`,
    role: { kind: "authority" },
    issuer: undefined,
    notBeforeMs,
    notAfterMs: notBeforeMs + authorityDays * dayMs,
    random,
  });
}

function issueServer(
  hosts: readonly RegistryHost[],
  issuer: CertificateIssuer,
  { clock, random }: CertificateOptions,
): CertificateIssuer {
  const names = (areAddresses: boolean): string[] => [
    ...new Set(hosts.filter(({ isAddress }) => isAddress === areAddresses).map(({ name }) => name)),
  ];
  const authority = new X509Certificate(issuer.certificate);
  const notBeforeMs = clock.nowMs() - backdateMs;
  return issueCertificate({
    // At most 64 characters; clients read the names below and not this one.
    commonName: (hosts[0]?.name ?? "").slice(0, 64),
    role: { kind: "server", dnsNames: names(false), ipAddresses: names(true) },
    issuer,
    notBeforeMs: Math.max(notBeforeMs, Date.parse(authority.validFrom)),
    notAfterMs: Math.min(notBeforeMs + serverDays * dayMs, Date.parse(authority.validTo)),
    random,
  });
}

/** The authority in the folder, or undefined when there is none. */
async function readAuthority(
  paths: { readonly authority: string; readonly authorityKey: string },
  nowMs: number,
): Promise<CertificateIssuer | undefined> {
  const certificateText = await readText(paths.authority);
  const keyText = await readText(paths.authorityKey);
  if (certificateText === undefined && keyText === undefined) return undefined;
  const both = `${paths.authority} and ${paths.authorityKey}`;
  if (certificateText === undefined || keyText === undefined) {
    throw new Refusal(`of ${both} only one is there; bring the other back, or move it away`);
  }
  const { certificate, privateKey } = parseAuthority({ certificateText, keyText, both });
  if (!certificate.ca) throw new Refusal(`${paths.authority} is no certificate authority`);
  if (!certificate.checkPrivateKey(privateKey)) throw new Refusal(`${both} do not belong together`);
  if (privateKey.asymmetricKeyType !== "ec") {
    throw new Refusal(`${paths.authorityKey} is not an elliptic curve key; use another folder`);
  }
  if (Date.parse(certificate.validTo) <= nowMs) {
    throw new Refusal(`the authority ended on ${certificate.validTo}; move ${both} away`);
  }
  return { certificate: certificate.raw, privateKey };
}

function parseAuthority(texts: {
  readonly certificateText: string;
  readonly keyText: string;
  readonly both: string;
}): {
  readonly certificate: X509Certificate;
  readonly privateKey: CertificateIssuer["privateKey"];
} {
  try {
    return {
      certificate: new X509Certificate(texts.certificateText),
      privateKey: createPrivateKey(texts.keyText),
    };
  } catch (cause) {
    throw new Error(`cannot use ${texts.both}`, { cause });
  }
}

function pem({ certificate }: CertificateIssuer): string {
  return certificatePem(certificate);
}

function keyPem({ privateKey }: CertificateIssuer): string {
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

async function writeWhole(
  path: string,
  { text, mode }: { readonly text: string; readonly mode: number },
  random: Random,
): Promise<void> {
  try {
    // The umask may have taken from the mode what clients need to read.
    await replaceText(path, { text, mode, random }, (beside) => chmod(beside, mode));
  } catch (cause) {
    throw new Error(`cannot write ${path}`, { cause });
  }
}
