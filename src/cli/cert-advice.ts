import { formatRegistryHost, type RegistryHost } from "./registry-host.ts";

export interface CertificatePaths {
  /** Absolute, so that the lines can be copied as they are. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** What a person does next, on the registry and on each client. Every line is to be copied. */
export function certificateAdvice(paths: CertificatePaths, hosts: readonly RegistryHost[]): string {
  const named = hosts.filter(({ name }) => !name.startsWith("*."));
  return [registryAdvice(paths), ...named.map((host) => clientAdvice(paths.authority, host))].join(
    "\n",
  );
}

function registryAdvice({ certificate, key }: CertificatePaths): string {
  return `On the registry, in config.yml:

  http:
    tls:
      certificate: ${yamlString(certificate)}
      key: ${yamlString(key)}
`;
}

function clientAdvice(authority: string, target: RegistryHost): string {
  const host = formatRegistryHost(target);
  const source = shellWord(authority);
  const install = (path: string): string => `  sudo install -D -m 644 ${source} ${shellWord(path)}`;
  return `On each client of ${host}, with ca.crt copied there:

docker
${install(`/etc/docker/certs.d/${host}/ca.crt`)}

containerd
${install(`/etc/containerd/certs.d/${host}/ca.crt`)}
  and the file /etc/containerd/certs.d/${host}/hosts.toml with:

    server = "https://${host}"

    [host."https://${host}"]
      ca = "/etc/containerd/certs.d/${host}/ca.crt"

podman, buildah, skopeo
${install(`/etc/containers/certs.d/${host}/ca.crt`)}

curl
  curl --cacert ${source} ${shellWord(`https://${host}/v2/`)}
`;
}

/** In quotes unless every character stands for itself in a shell. */
function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** In quotes unless it is plainly a path; JSON's quoting is YAML's. */
function yamlString(text: string): string {
  return /^\/[A-Za-z0-9_./-]*$/.test(text) ? text : JSON.stringify(text);
}
