import type { Key, Section } from "../key.ts";
import { isRawEmpty, rawAt } from "../raw.ts";
import { isEmptyOrFalse } from "./idle.ts";

export const clientAuthModes = [
  "request-client-cert",
  "require-any-client-cert",
  "verify-client-cert-if-given",
  "require-and-verify-client-cert",
] as const;
export const tlsVersions = ["tls1.2", "tls1.3"] as const;
export const networks = ["tcp", "unix"] as const;
export const cipherSuites = [
  "TLS_RSA_WITH_AES_128_CBC_SHA",
  "TLS_RSA_WITH_AES_256_CBC_SHA",
  "TLS_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
] as const;

export const httpSections = [
  { path: "http", prose: "Where and how the registry listens, and what its answers carry." },
  { path: "http.limits", prose: "How much one client may ask for. Berth's own." },
  { path: "http.tls", prose: "HTTPS with a certificate of your own." },
  {
    path: "http.tls.letsencrypt",
    prose: "Certificates from Let's Encrypt.",
    standing: "refused",
    why: "Berth cannot ask Let's Encrypt for certificates yet; set http.tls.certificate and http.tls.key, or put Caddy or Traefik in front.",
    // As in Distribution: with a certificate set, this section is not looked at.
    isIdle: (value, root) => isRawEmpty(value) || !isRawEmpty(rawAt(root, "http.tls.certificate")),
    members: ["cachefile", "email", "hosts", "directoryurl"],
  },
  { path: "http.headers", prose: "Headers that every answer of the API carries." },
  { path: "http.http2", prose: "HTTP/2, which is spoken over TLS only." },
  { path: "http.h2c", prose: "HTTP/2 without TLS." },
  { path: "http.debug", prose: "A second listener for health and metrics." },
  { path: "http.debug.prometheus", prose: "Metrics for Prometheus." },
] as const satisfies readonly Section[];

export const httpKeys = [
  {
    path: "http.addr",
    type: "text",
    default: '":5000"',
    prose:
      "The address to listen on, `host:port`; without a host, all of them. With `net: unix`, the path of a socket.",
  },
  {
    path: "http.net",
    type: "choice",
    values: networks,
    default: "tcp",
    prose: "The kind of address.",
  },
  {
    path: "http.prefix",
    type: "text",
    example: "/registry/",
    prose: "The path below which the API is, where the registry is not at the root of its host.",
  },
  {
    path: "http.host",
    type: "text",
    example: "https://registry.example.com",
    prose:
      "The URL under which clients reach the registry. Without it, absolute URLs are made from the request.",
  },
  {
    path: "http.secret",
    type: "text",
    isSecret: true,
    prose: "Signs the state of an upload in its URL.",
    standing: "accepted",
    why: "Berth keeps the state of an upload in its storage and not in the URL, so any process may go on with any upload.",
  },
  {
    path: "http.relativeurls",
    type: "bool",
    default: "true",
    prose:
      "Answers carry URLs without a host. Distribution's default is `false`; every client understands relative URLs, and behind a reverse proxy they are the only ones that cannot be wrong.",
  },
  {
    path: "http.draintimeout",
    type: "duration",
    default: "60s",
    prose:
      "How long running requests may go on after SIGTERM; `0s` stops at once. Distribution's default is `0s`, which breaks the pushes and pulls that are under way.",
  },
  {
    path: "http.trustedproxies",
    type: "texts",
    example: "[10.0.0.0/8, 127.0.0.1]",
    prose:
      "The reverse proxies in front, as addresses or CIDR blocks. When set, `X-Forwarded-*`, `X-Real-IP` and `Forwarded` count only from them; when not, from everybody, as in Distribution. Berth's own.",
  },
  {
    path: "http.limits.manifestbytes",
    type: "bytes",
    default: "4MiB",
    min: 65_536,
    max: 67_108_864,
    prose: "The size of a manifest. The specification asks for 4 MiB at least.",
  },
  {
    path: "http.limits.uploadsperrepository",
    type: "int",
    default: "100",
    min: 1,
    prose: "The number of unfinished uploads in one repository.",
  },
  {
    path: "http.limits.urlbytes",
    type: "bytes",
    default: "8KiB",
    min: 1_024,
    max: 1_048_576,
    prose: "The length of a request's path and query.",
  },
  {
    path: "http.limits.tagsperrequest",
    type: "int",
    default: "20",
    min: 1,
    max: 1_000,
    prose: "The number of tags that one manifest push may set.",
  },
  {
    path: "http.tls.certificate",
    type: "text",
    example: "/etc/berth/tls/registry.crt",
    prose:
      "The certificate and its chain, a PEM file. Read again when it changes, without a restart.",
  },
  {
    path: "http.tls.key",
    type: "text",
    example: "/etc/berth/tls/registry.key",
    prose: "The certificate's private key, a PEM file.",
  },
  {
    path: "http.tls.clientcas",
    type: "texts",
    example: "[/etc/berth/tls/clients.pem]",
    prose: "PEM files of the authorities that sign clients' certificates.",
  },
  {
    path: "http.tls.clientauth",
    type: "choice",
    values: clientAuthModes,
    default: "require-and-verify-client-cert",
    prose: "What a client's certificate has to be, where `clientcas` is set.",
  },
  {
    path: "http.tls.minimumtls",
    type: "choice",
    values: tlsVersions,
    default: "tls1.2",
    prose: "The least version of TLS.",
  },
  {
    path: "http.tls.ciphersuites",
    type: "choices",
    values: cipherSuites,
    example: "[TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
    prose: "The cipher suites for TLS 1.2; without it, the nine modern ones. TLS 1.3 has its own.",
  },
  {
    path: "http.headers.<name>",
    type: "texts",
    exampleName: "X-Content-Type-Options",
    example: "[nosniff]",
    prose:
      "The values of one header, such as `X-Content-Type-Options`. Of several in `Access-Control-Allow-Origin` the one that asks is answered.",
  },
  {
    path: "http.http2.disabled",
    type: "bool",
    default: "true",
    prose:
      "Set it to `false` to offer HTTP/2 over TLS. Distribution's default is `false`; blobs come at less than half the speed over HTTP/2, and no client needs it.",
  },
  {
    path: "http.h2c.enabled",
    type: "bool",
    default: "false",
    prose: "Speaks HTTP/2 without TLS.",
    standing: "refused",
    why: "Berth speaks HTTP/2 over TLS only; let the proxy in front speak HTTP/1.1 to it.",
    isIdle: isEmptyOrFalse,
  },
  {
    path: "http.debug.addr",
    type: "text",
    example: '"127.0.0.1:5001"',
    prose:
      "The address of the debug server, `host:port`; without it there is none. Not for the public.",
  },
  {
    path: "http.debug.prometheus.enabled",
    type: "bool",
    default: "false",
    prose: "Serves metrics on the debug server.",
  },
  {
    path: "http.debug.prometheus.path",
    type: "text",
    default: "/metrics",
    prose: "The path of the metrics.",
  },
] as const satisfies readonly Key[];
