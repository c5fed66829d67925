import { isHeaderName, isHeaderValue, isNetwork, parseHostPort, parseOrigin } from "./addresses.ts";
import type {
  DebugConfig,
  HttpConfig,
  LimitsConfig,
  ListenConfig,
  TcpListenConfig,
  TlsConfig,
} from "./config.ts";
import { clientAuthModes, networks, tlsVersions } from "./keys/http-keys.ts";
import { quote } from "./quote.ts";
import type { Settings } from "./settings.ts";

/** The part `http` of the configuration; what is wrong goes to the settings' problems. */
export function buildHttp(settings: Settings): HttpConfig {
  const tls = buildTls(settings);
  const debug = buildDebug(settings);
  const host = buildHost(settings);
  const trustedProxies = buildTrustedProxies(settings);
  const listen = buildListen(settings);
  return {
    listen,
    prefix: buildPrefix(settings),
    ...(host === undefined ? {} : { host }),
    areUrlsRelative: settings.bool("http.relativeurls"),
    drainTimeoutMs: settings.number("http.draintimeout"),
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    limits: buildLimits(settings),
    ...(tls === undefined ? {} : { tls }),
    headers: buildHeaders(settings, "http.headers.<name>"),
    isHttp2Enabled: !settings.bool("http.http2.disabled"),
    ...(debug === undefined ? {} : { debug }),
  };
}

/** With a value of somebody's own, the answers to HEAD and errors would be read wrong. */
const framingHeaders: ReadonlySet<string> = new Set(["content-length", "transfer-encoding"]);

/** Header values by name, from the dictionary at `path`. */
export function buildHeaders(
  settings: Settings,
  path: "http.headers.<name>" | "health.http[].headers.<name>",
  index?: number,
): ReadonlyMap<string, readonly string[]> {
  const headers = settings.dictionary(path, index);
  for (const [name, values] of headers) {
    const place = path.replace("[]", `[${index}]`).replace("<name>", name);
    if (!isHeaderName(name)) settings.problem(place, "this is not the name of a header");
    else if (framingHeaders.has(name.toLowerCase())) {
      settings.problem(place, "Berth sets it itself: it says where an answer ends");
    }
    if (!values.every(isHeaderValue)) {
      settings.problem(place, "a header's value cannot have line breaks or control characters");
    }
  }
  return headers;
}

function buildListen(settings: Settings): ListenConfig {
  const address = settings.text("http.addr") ?? ":5000";
  if (settings.choice("http.net", networks) === "unix") {
    if (!settings.isSet("http.addr")) {
      settings.problem("http.net", "with net: unix, http.addr must be the path of the socket");
    }
    return { kind: "unix", path: address };
  }
  return tcpAddress(settings, "http.addr", address);
}

function tcpAddress(
  settings: Settings,
  path: "http.addr" | "http.debug.addr",
  text: string,
): TcpListenConfig {
  const address = parseHostPort(text);
  if (address !== undefined) return { kind: "tcp", ...address };
  settings.problem(
    path,
    `${quote(text)} is not host:port; write :5000, 127.0.0.1:5000 or "[::1]:5000"`,
  );
  return { kind: "tcp", port: 0 };
}

function buildPrefix(settings: Settings): string {
  const text = settings.text("http.prefix") ?? "/";
  if (!/^[\w\-.~/%]*$/.test(text) || text.split("/").includes("..")) {
    settings.problem("http.prefix", `${quote(text)} is not a path such as /registry/`);
  }
  const inner = text.split("/").filter((part) => part !== "");
  return inner.length === 0 ? "/" : `/${inner.join("/")}/`;
}

function buildHost(settings: Settings): string | undefined {
  const text = settings.text("http.host");
  if (text === undefined) return undefined;
  const host = text.includes("://") ? parseOrigin(text) : undefined;
  if (host !== undefined) return host;
  const advice = "write it with its scheme, such as https://registry.example.com";
  if (text.includes("://")) {
    settings.problem("http.host", `${quote(text)} is not the URL of a host; ${advice}`);
  } else {
    // Distribution says nothing, and makes URLs as if it were not set: its registries work.
    settings.warning("http.host", `${quote(text)} is no URL, and is ignored: ${advice}`);
  }
  return undefined;
}

function buildTrustedProxies(settings: Settings): readonly string[] | undefined {
  const networks = settings.texts("http.trustedproxies");
  for (const network of networks) {
    if (isNetwork(network)) continue;
    settings.problem(
      "http.trustedproxies",
      `${quote(network)} is not an address or a CIDR block such as 10.0.0.0/8`,
    );
  }
  return settings.isSet("http.trustedproxies") ? networks : undefined;
}

function buildLimits(settings: Settings): LimitsConfig {
  return {
    manifestBytes: settings.number("http.limits.manifestbytes"),
    uploadsPerRepository: settings.number("http.limits.uploadsperrepository"),
    urlBytes: settings.number("http.limits.urlbytes"),
    tagsPerRequest: settings.number("http.limits.tagsperrequest"),
  };
}

function buildTls(settings: Settings): TlsConfig | undefined {
  const certificatePath = settings.text("http.tls.certificate");
  const keyPath = settings.text("http.tls.key");
  const minimumVersion = settings.choice("http.tls.minimumtls", tlsVersions);
  const cipherSuites = settings.texts("http.tls.ciphersuites");
  const caPaths = settings.texts("http.tls.clientcas");
  const mode = settings.choice("http.tls.clientauth", clientAuthModes);
  if (certificatePath === undefined || keyPath === undefined) {
    const [there, missing] =
      keyPath === undefined ? ["certificate", "key"] : ["key", "certificate"];
    if (certificatePath !== undefined || keyPath !== undefined) {
      settings.problem(`http.tls.${there}`, `http.tls.${missing} must be set too`);
    } else if (caPaths.length > 0) {
      settings.problem(
        "http.tls.clientcas",
        "clients can show certificates only where http.tls.certificate and http.tls.key are set",
      );
    }
    return undefined;
  }
  if (caPaths.length === 0 && settings.isSet("http.tls.clientauth")) {
    settings.warning("http.tls.clientauth", "this has no effect without http.tls.clientcas");
  }
  return {
    certificatePath,
    keyPath,
    minimumVersion,
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
    ...(caPaths.length === 0 ? {} : { clientCertificates: { caPaths, mode } }),
  };
}

function buildDebug(settings: Settings): DebugConfig | undefined {
  const text = settings.text("http.debug.addr");
  const isEnabled = settings.bool("http.debug.prometheus.enabled");
  const prometheusPath = settings.text("http.debug.prometheus.path") ?? "/metrics";
  if (!prometheusPath.startsWith("/")) {
    settings.problem("http.debug.prometheus.path", "a path begins with /");
  }
  if (text === undefined) {
    if (isEnabled) {
      settings.warning(
        "http.debug.prometheus.enabled",
        "there are no metrics without http.debug.addr, the address of the debug server",
      );
    }
    return undefined;
  }
  const listen = tcpAddress(settings, "http.debug.addr", text);
  return isEnabled ? { listen, prometheusPath } : { listen };
}
