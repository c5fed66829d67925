import { parseGoRegExp, parseHostPort } from "./addresses.ts";
import { buildHeaders, buildHttp } from "./build-http.ts";
import { buildImmutableTags, buildRetention } from "./build-retention.ts";
import type {
  AuthConfig,
  CheckConfig,
  Config,
  DatabaseConfig,
  HealthConfig,
  LogConfig,
  StorageConfig,
  StorageDriverConfig,
  ValidationConfig,
} from "./config.ts";
import { accessLogFormats, logFormatters, logLevels } from "./keys/log-keys.ts";
import { platformChecks } from "./keys/other-keys.ts";
import { durabilities } from "./keys/storage-keys.ts";
import { quote } from "./quote.ts";
import type { Settings } from "./settings.ts";

const pageMaxByDefault = 1_000;
const checkIntervalMsByDefault = 10_000;

/**
 * The configuration that `settings` means. What does not fit together goes to the settings'
 * problems; the configuration is to be used only when there are none.
 */
export function buildConfig(settings: Settings): Config {
  const storage = buildStorage(settings);
  const http = buildHttp(settings);
  return {
    log: buildLog(settings),
    storage,
    database: buildDatabase(settings, storage.driver),
    auth: buildAuth(settings),
    http,
    health: buildHealth(settings),
    catalog: { maxEntries: orDefault(settings.number("catalog.maxentries"), pageMaxByDefault) },
    tags: { maxTags: orDefault(settings.number("tags.maxtags"), pageMaxByDefault) },
    validation: buildValidation(settings),
    gc: {
      isEnabled: settings.bool("gc.enabled"),
      intervalMs: settings.number("gc.interval"),
      graceMs: settings.number("gc.grace"),
      trashGraceMs: settings.number("gc.trashgrace"),
      rate: settings.number("gc.rate"),
    },
    trash: { retentionMs: settings.number("trash.retention") },
    retention: buildRetention(settings),
    immutableTags: buildImmutableTags(settings),
    scrub: {
      isEnabled: settings.bool("scrub.enabled"),
      intervalMs: settings.number("scrub.interval"),
      rateBytesPerSecond: settings.number("scrub.rate"),
    },
  };
}

/** Distribution takes 0 and less for "not set" in several places. */
function orDefault(value: number, byDefault: number): number {
  return value > 0 ? value : byDefault;
}

function buildLog(settings: Settings): LogConfig {
  const isOld = settings.isSet("loglevel") && !settings.isSet("log.level");
  const level = settings.choice(isOld ? "loglevel" : "log.level", logLevels);
  if (isOld) settings.derive("log.level", level, "loglevel");
  const fields = [...settings.dictionary("log.fields.<name>")];
  return {
    level,
    formatter: settings.choice("log.formatter", logFormatters),
    fields: new Map(fields.map(([name, values]) => [name, values.join(" ")])),
    accessLog: {
      isEnabled: !settings.bool("log.accesslog.disabled"),
      format: settings.choice("log.accesslog.format", accessLogFormats),
    },
  };
}

function buildStorage(settings: Settings): StorageConfig {
  return {
    driver: buildDriver(settings),
    delete: { isEnabled: settings.bool("storage.delete.enabled") },
    maintenance: {
      uploadPurging: {
        isEnabled: settings.bool("storage.maintenance.uploadpurging.enabled"),
        ageMs: settings.number("storage.maintenance.uploadpurging.age"),
        intervalMs: settings.number("storage.maintenance.uploadpurging.interval"),
        isDryRun: settings.bool("storage.maintenance.uploadpurging.dryrun"),
      },
      readOnly: { isEnabled: settings.bool("storage.maintenance.readonly.enabled") },
    },
  };
}

const refusedDrivers = ["s3", "azure", "gcs", "swift", "oss"] as const;

function buildDriver(settings: Settings): StorageDriverConfig {
  const isFilesystem = settings.isPresent("storage.filesystem");
  const isInMemory = settings.isPresent("storage.inmemory");
  const isRefused = settings.problems.some((problem) =>
    refusedDrivers.some((name) => problem.path === `storage.${name}`),
  );
  if (isInMemory && isFilesystem) {
    settings.problem(
      "storage.inmemory",
      "there are two drivers, filesystem and inmemory; keep one (REGISTRY_STORAGE=inmemory " +
        "replaces what the file says)",
    );
  }
  if (isInMemory) return { kind: "inmemory" };
  if (!isFilesystem && !isRefused) {
    settings.problem(
      "storage",
      "there is no storage driver; write storage: {filesystem: {rootdirectory: /var/lib/registry}}",
    );
  }
  const rootDirectory = settings.text("storage.filesystem.rootdirectory");
  if (rootDirectory === undefined) {
    settings.problem("storage.filesystem.rootdirectory", "this cannot be empty");
  }
  return {
    kind: "filesystem",
    rootDirectory: rootDirectory ?? "",
    durability: settings.choice("storage.filesystem.durability", durabilities),
    // Distribution takes any number, and so does Berth.
    threadsMax: Math.min(Math.max(settings.number("storage.filesystem.maxthreads"), 2), 1_000),
    reserveBytes: settings.number("storage.filesystem.reserve"),
  };
}

function buildDatabase(settings: Settings, driver: StorageDriverConfig): DatabaseConfig {
  const url = settings.text("database.url");
  const path = settings.text("metadata.database");
  if (url !== undefined) {
    if (path !== undefined) {
      settings.problem("metadata.database", "set this or database.url, not both");
    }
    if (!URL.canParse(url) || !/^postgres(?:ql)?:\/\//.test(url)) {
      settings.problem(
        "database.url",
        "the value is not the URL of a PostgreSQL database: postgres://user:password@host:port/name",
      );
    }
    return { kind: "postgresql", url };
  }
  if (path !== undefined) return { kind: "sqlite", metadataPath: path };
  if (driver.kind === "inmemory") return { kind: "memory" };
  const metadataPath = `${driver.rootDirectory.replace(/\/+$/, "")}/berth/metadata.sqlite`;
  settings.derive("metadata.database", metadataPath);
  return { kind: "sqlite", metadataPath };
}

function buildAuth(settings: Settings): AuthConfig {
  const chosen = (["none", "htpasswd", "token"] as const).filter((name) =>
    settings.isPresent(`auth.${name}`),
  );
  if (chosen.length > 1) {
    settings.problem("auth", `there is ${chosen.join(" and ")}; keep exactly one`);
  }
  if (chosen.includes("htpasswd")) return buildHtpasswd(settings);
  if (chosen.includes("token")) return buildToken(settings);
  return { kind: "none" };
}

function buildHtpasswd(settings: Settings): AuthConfig {
  return {
    kind: "htpasswd",
    realm: required(settings, "auth.htpasswd.realm"),
    path: required(settings, "auth.htpasswd.path"),
    cacheTtlMs: settings.number("auth.htpasswd.cachettl"),
    maxVerifications: settings.number("auth.htpasswd.maxverifications"),
  };
}

function buildToken(settings: Settings): AuthConfig {
  const rootCertBundlePath = settings.text("auth.token.rootcertbundle");
  const jwksPath = settings.text("auth.token.jwks");
  if (rootCertBundlePath === undefined && jwksPath === undefined) {
    settings.problem(
      "auth.token",
      "no key can verify a token: set auth.token.rootcertbundle or auth.token.jwks",
    );
  }
  const redirectPath = settings.text("auth.token.autoredirectpath");
  const autoRedirectPath = settings.bool("auth.token.autoredirect") ? redirectPath : undefined;
  return {
    kind: "token",
    realm: required(settings, "auth.token.realm"),
    service: required(settings, "auth.token.service"),
    issuer: required(settings, "auth.token.issuer"),
    ...(rootCertBundlePath === undefined ? {} : { rootCertBundlePath }),
    ...(jwksPath === undefined ? {} : { jwksPath }),
    ...(autoRedirectPath === undefined ? {} : { autoRedirectPath }),
    signingAlgorithms: settings.texts("auth.token.signingalgorithms"),
  };
}

type Required = Parameters<Settings["text"]>[0];

function required(settings: Settings, path: Required, index?: number): string {
  const text = settings.text(path, index);
  if (text === undefined) {
    settings.problem(path.replace("[]", `[${index}]`), "this must be set");
  }
  return text ?? "";
}

function buildHealth(settings: Settings): HealthConfig {
  const storageDriver: CheckConfig = {
    intervalMs: orDefault(
      settings.number("health.storagedriver.interval"),
      checkIntervalMsByDefault,
    ),
    threshold: orDefault(settings.number("health.storagedriver.threshold"), 1),
  };
  return {
    ...(settings.bool("health.storagedriver.enabled") ? { storageDriver } : {}),
    files: indexes(settings, "health.file").map((index) => ({
      path: required(settings, "health.file[].file", index),
      ...buildCheck(settings, "health.file", index),
    })),
    http: indexes(settings, "health.http").map((index) => ({
      uri: buildUri(settings, index),
      headers: buildHeaders(settings, "health.http[].headers.<name>", index),
      statusCode: settings.number("health.http[].statuscode", index),
      timeoutMs: settings.number("health.http[].timeout", index),
      ...buildCheck(settings, "health.http", index),
    })),
    tcp: indexes(settings, "health.tcp").map((index) => ({
      ...buildPeer(settings, index),
      timeoutMs: settings.number("health.tcp[].timeout", index),
      ...buildCheck(settings, "health.tcp", index),
    })),
  };
}

function indexes(settings: Settings, path: string): readonly number[] {
  return Array.from({ length: settings.length(path) }, (_, index) => index);
}

function buildCheck(
  settings: Settings,
  list: "health.file" | "health.http" | "health.tcp",
  index: number,
): CheckConfig {
  return {
    intervalMs: orDefault(settings.number(`${list}[].interval`, index), checkIntervalMsByDefault),
    threshold: orDefault(settings.number(`${list}[].threshold`, index), 1),
  };
}

function buildUri(settings: Settings, index: number): string {
  const uri = required(settings, "health.http[].uri", index);
  if (uri !== "" && !/^https?:\/\//.test(uri)) {
    settings.problem(`health.http[${index}].uri`, "this is not a URL with http:// or https://");
  }
  return uri;
}

function buildPeer(settings: Settings, index: number): { host: string; port: number } {
  const text = required(settings, "health.tcp[].addr", index);
  const address = parseHostPort(text);
  if (text !== "" && address === undefined) {
    settings.problem(`health.tcp[${index}].addr`, `${quote(text)} is not host:port`);
  }
  return { host: address?.host ?? "localhost", port: address?.port ?? 0 };
}

function buildValidation(settings: Settings): ValidationConfig {
  const list = "validation.manifests.indexes.platformlist";
  return {
    isEnabled: !settings.bool("validation.disabled"),
    manifests: {
      urls: {
        allow: buildPatterns(settings, "validation.manifests.urls.allow"),
        deny: buildPatterns(settings, "validation.manifests.urls.deny"),
      },
      indexes: {
        platforms: settings.choice("validation.manifests.indexes.platforms", platformChecks),
        platformList: indexes(settings, list).map((index) => ({
          os: required(settings, `${list}[].os`, index),
          architecture: required(settings, `${list}[].architecture`, index),
        })),
      },
    },
  };
}

function buildPatterns(
  settings: Settings,
  path: "validation.manifests.urls.allow" | "validation.manifests.urls.deny",
): RegExp[] {
  return settings.texts(path).flatMap((text) => {
    const pattern = parseGoRegExp(text);
    if (pattern === undefined) {
      settings.problem(path, `${quote(text)} is not a regular expression that Berth can use`);
    }
    return pattern === undefined ? [] : [pattern];
  });
}
