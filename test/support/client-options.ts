/** How the clients built on containers/image and on containerd are told about an endpoint. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Endpoint } from "./endpoints.ts";

/** For podman and buildah, and for skopeo's commands that have one registry. */
export function tlsOptions(endpoint: Endpoint, prefix = ""): string[] {
  return endpoint.authority === undefined
    ? [`--${prefix}tls-verify=false`]
    : [`--${prefix}cert-dir`, endpoint.authority.certsFolder];
}

/** For clients in Go that have no option for an authority: the whole machine trusts it. */
export function trustedBySystem(endpoint: Endpoint): Readonly<Record<string, string>> {
  if (endpoint.authority === undefined) return {};
  return { SSL_CERT_FILE: endpoint.authority.certificateFile };
}

/** Storage of its own for buildah and podman, so that it and the machine's do not meet. */
export function containersStorage(folder: string): Readonly<Record<string, string>> {
  const storage = join(folder, "storage.conf");
  const paths = `graphroot="${folder}/graph"\nrunroot="${folder}/run"\n`;
  writeFileSync(storage, `[storage]\ndriver="vfs"\n${paths}`);
  const registries = join(folder, "registries.conf");
  writeFileSync(registries, "unqualified-search-registries = []\n");
  return { CONTAINERS_STORAGE_CONF: storage, CONTAINERS_REGISTRIES_CONF: registries };
}

/** For containers/image: the machine's configuration says whether the registry speaks TLS. */
export function knownToMachine(
  folder: string,
  endpoint: Endpoint,
): Readonly<Record<string, string>> {
  const file = join(folder, "registries-known.conf");
  const insecure = endpoint.authority === undefined;
  writeFileSync(file, `[[registry]]\nlocation = "${endpoint.host}"\ninsecure = ${insecure}\n`);
  return { CONTAINERS_REGISTRIES_CONF: file };
}
