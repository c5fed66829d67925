/**
 * The three ways in which people run a registry, each a server of its own: open, with an htpasswd
 * file, and with an htpasswd file over TLS with a certificate of a private authority.
 *
 * Also what the tests ask the server themselves, beside the client they test.
 */
import { afterAll, beforeAll, describe } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createPrivateAuthority, type PrivateAuthority } from "./private-authority.ts";
import { type RegistryServer, startRegistry } from "./registry-server.ts";
import { temporaryFolder } from "./run-folder.ts";

export const modes = ["anonymous", "htpasswd", "tls"] as const;
export type Mode = (typeof modes)[number];

export const user = "alice";
export const password = "s3cret:with'odd chars";

export interface Endpoint {
  readonly mode: Mode;
  readonly server: RegistryServer;
  /** `127.0.0.1:port`, as clients name it. */
  readonly host: string;
  readonly needsLogin: boolean;
  /** Set in mode `tls`. */
  readonly authority?: PrivateAuthority;
}

/**
 * Defines the same tests once for each mode. The server is started before them and stopped after
 * them; `endpoint()` is for use inside the tests.
 */
export function describeModes(body: (mode: Mode, endpoint: () => Endpoint) => void): void {
  for (const mode of modes) {
    describe(mode, () => {
      let started: Endpoint | undefined;
      beforeAll(async () => {
        started = await startEndpoint(mode);
      });
      afterAll(async () => started?.server.stop());
      body(mode, () => {
        if (started === undefined) throw new Error(`the server of mode ${mode} did not start`);
        return started;
      });
    });
  }
}

export async function startEndpoint(mode: Mode): Promise<Endpoint> {
  if (mode === "anonymous") {
    const server = await startRegistry();
    return { mode, server, host: server.host, needsLogin: false };
  }
  const folder = temporaryFolder(`endpoint-${mode}`);
  const htpasswd = join(folder, "htpasswd");
  writeFileSync(htpasswd, `${user}:${bcrypt(password)}\n`);
  const auth = { htpasswd: { realm: "Registry Realm", path: htpasswd } };
  if (mode === "htpasswd") {
    const server = await startRegistry({ config: { auth } });
    return { mode, server, host: server.host, needsLogin: true };
  }
  const authority = await createPrivateAuthority(folder);
  const tls = { certificate: authority.serverCertificateFile, key: authority.serverKeyFile };
  const server = await startRegistry({
    config: { auth, http: { tls } },
    authority: authority.certificate,
  });
  return { mode, server, host: server.host, needsLogin: true, authority };
}

/** As `htpasswd -B` writes it: Apache names the same algorithm `$2y$`. */
function bcrypt(secret: string): string {
  const hash = Bun.password.hashSync(secret, { algorithm: "bcrypt", cost: 5 });
  return hash.replace(/^\$2b\$/, "$2y$");
}

export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly content: Record<string, unknown>;
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** A request of the tests' own, with the endpoint's credentials and authority. */
export async function ask(
  endpoint: Endpoint,
  path: string,
  init: BunFetchRequestInit = {},
): Promise<Response> {
  const headers = new Headers(init.headers);
  if (endpoint.needsLogin) headers.set("authorization", `Basic ${btoa(`${user}:${password}`)}`);
  const tls =
    endpoint.authority === undefined ? {} : { tls: { ca: endpoint.authority.certificate } };
  return fetch(`${endpoint.server.origin}${path}`, { ...init, ...tls, headers });
}

/** The manifest that the server holds, its digest computed here; undefined when it holds none. */
export async function storedManifest(
  endpoint: Endpoint,
  repository: string,
  reference: string,
): Promise<StoredManifest | undefined> {
  const answer = await ask(endpoint, `/v2/${repository}/manifests/${reference}`, {
    headers: { accept: manifestTypes },
  });
  const bytes = await answer.bytes();
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`GET manifest ${reference}: ${answer.status}`);
  return {
    digest: sha256(bytes),
    mediaType: answer.headers.get("content-type") ?? "",
    content: JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>,
  };
}

/** The digest of `reference`, which the server must hold. */
export async function storedDigest(
  endpoint: Endpoint,
  repository: string,
  reference: string,
): Promise<string> {
  const manifest = await storedManifest(endpoint, repository, reference);
  if (manifest === undefined) throw new Error(`the server holds no ${repository}:${reference}`);
  return manifest.digest;
}

/** How the server answers HEAD for a blob. */
export async function blobStatus(
  endpoint: Endpoint,
  repository: string,
  digest: string,
): Promise<number> {
  const answer = await ask(endpoint, `/v2/${repository}/blobs/${digest}`, { method: "HEAD" });
  return answer.status;
}

/**
 * Waits for the line of the access log that says that a blob was mounted into `repository`.
 *
 * These clients never send a blob in the POST itself: a POST that made a blob was a mount.
 */
export async function expectMounted(endpoint: Endpoint, repository: string): Promise<void> {
  await expectAnswered(endpoint, { start: `POST /v2/${repository}/blobs/uploads/`, status: 201 });
}

interface LoggedAnswers {
  /** Method and path, as far as it is known: `PUT /v2/team/app/manifests/`. */
  readonly start: string;
  readonly status: number;
  readonly times?: number;
}

/**
 * Waits until the access log says that requests beginning with `start` were answered with `status`
 * so many times. A line may come a moment after the answer, since a log is written in batches.
 */
export async function expectAnswered(
  endpoint: Endpoint,
  { start, status, times = 1 }: LoggedAnswers,
): Promise<void> {
  const begun = (): string[] =>
    endpoint.server
      .log()
      .split("\n")
      .filter((line) => line.includes(`"${start}`));
  const isAnswered = (): boolean =>
    begun().filter((line) => line.includes(`" ${status} `)).length >= times;
  const endsAt = performance.now() + 5_000;
  while (!isAnswered() && performance.now() < endsAt) await Bun.sleep(50);
  if (!isAnswered()) throw new Error(`not ${times} times ${status}:\n${begun().join("\n")}`);
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
}
