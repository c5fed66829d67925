import { describe, expect, test } from "bun:test";
import type { Config } from "./config.ts";
import { type Environment } from "./environment.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";

const file = "version: 0.1\nstorage: {filesystem: {rootdirectory: /data}}\n";

function load(environment: Environment, text = file): LoadedConfig {
  return loadConfig({ text, fileName: "config.yml", environment });
}

interface Rule {
  readonly name: string;
  readonly text?: string;
  readonly environment: Environment;
  readonly read: (config: Config) => unknown;
  readonly is: unknown;
}

const rules: readonly Rule[] = [
  {
    name: "a variable wins over the file",
    text: `${file}http: {addr: ":1"}`,
    environment: { REGISTRY_HTTP_ADDR: "127.0.0.1:5001" },
    read: (config) => config.http.listen,
    is: { kind: "tcp", host: "127.0.0.1", port: 5001 },
  },
  {
    name: "a value is YAML: true",
    environment: { REGISTRY_STORAGE_DELETE_ENABLED: "true" },
    read: (config) => config.storage.delete.isEnabled,
    is: true,
  },
  {
    name: "a value is YAML: quotes that a compose file leaves in do not matter",
    environment: { REGISTRY_STORAGE_DELETE_ENABLED: '"true"' },
    read: (config) => config.storage.delete.isEnabled,
    is: true,
  },
  {
    name: "a value is YAML: a number",
    environment: { REGISTRY_CATALOG_MAXENTRIES: "10" },
    read: (config) => config.catalog.maxEntries,
    is: 10,
  },
  {
    name: "a value is YAML: a list",
    environment: { REGISTRY_HTTP_TRUSTEDPROXIES: "[10.0.0.1, 10.0.0.2]" },
    read: (config) => config.http.trustedProxies,
    is: ["10.0.0.1", "10.0.0.2"],
  },
  {
    name: "a value is YAML: a map replaces the whole section",
    text: `${file}log: {level: debug, formatter: json}`,
    environment: { REGISTRY_LOG: "{formatter: logstash}" },
    read: ({ log }) => [log.level, log.formatter],
    is: ["info", "logstash"],
  },
  {
    name: "a value is YAML: a block list",
    environment: { REGISTRY_HEALTH_TCPCHECKERS: '- addr: "a:1"' },
    read: ({ health }) => health.tcp.map((check) => check.host),
    is: ["a"],
  },
  {
    name: "an empty value means the default",
    text: `${file}catalog: {maxentries: 5}`,
    environment: { REGISTRY_CATALOG_MAXENTRIES: "" },
    read: (config) => config.catalog.maxEntries,
    is: 1000,
  },
  {
    name: "a scalar replaces the whole map of storage, delete included",
    text: `${file.trimEnd()}\n`.replace("}}", "}, delete: {enabled: true}}"),
    environment: { REGISTRY_STORAGE: "inmemory" },
    read: ({ storage }) => [storage.driver.kind, storage.delete.isEnabled],
    is: ["inmemory", false],
  },
  {
    name: "names are applied in their order, so what is below is added afterwards",
    environment: {
      REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: "/other",
      REGISTRY_STORAGE_DELETE_ENABLED: "true",
      REGISTRY_STORAGE: "filesystem",
    },
    read: ({ storage }) => [storage.driver, storage.delete.isEnabled],
    is: [
      {
        kind: "filesystem",
        rootDirectory: "/other",
        durability: "full",
        threadsMax: 16,
        reserveBytes: 4 << 20,
      },
      true,
    ],
  },
  {
    name: "auth is chosen by a word, and filled",
    environment: {
      REGISTRY_AUTH_HTPASSWD_REALM: "Registry Realm",
      REGISTRY_AUTH_HTPASSWD_PATH: "/auth/htpasswd",
      REGISTRY_AUTH: "htpasswd",
    },
    read: ({ auth }) => auth,
    is: {
      kind: "htpasswd",
      realm: "Registry Realm",
      path: "/auth/htpasswd",
      cacheTtlMs: 60_000,
      maxVerifications: 4,
    },
  },
  {
    name: "auth is chosen by its keys alone",
    environment: { REGISTRY_AUTH_HTPASSWD_REALM: "r", REGISTRY_AUTH_HTPASSWD_PATH: "/p" },
    read: ({ auth }) => auth.kind,
    is: "htpasswd",
  },
  {
    name: "a map of keys may be set as a whole",
    environment: { REGISTRY_STORAGE_FILESYSTEM: "{rootdirectory: /other}" },
    read: ({ storage }) => storage.driver,
    is: {
      kind: "filesystem",
      rootDirectory: "/other",
      durability: "full",
      threadsMax: 16,
      reserveBytes: 4 << 20,
    },
  },
  {
    name: "a field is found by its Go name: health.file",
    environment: { REGISTRY_HEALTH_FILECHECKERS_0_FILE: "/tmp/down" },
    read: ({ health }) => health.files,
    is: [{ path: "/tmp/down", intervalMs: 10_000, threshold: 1 }],
  },
  {
    name: "a field is found by its Go name: health.http",
    environment: {
      REGISTRY_HEALTH_HTTPCHECKERS_0_URI: "http://a/",
      REGISTRY_HEALTH_HTTPCHECKERS_0_STATUSCODE: "204",
    },
    read: ({ health }) => health.http.map((check) => [check.uri, check.statusCode]),
    is: [["http://a/", 204]],
  },
  {
    name: "a field is found by its Go name: health.tcp",
    environment: { REGISTRY_HEALTH_TCPCHECKERS_0_ADDR: "a:1" },
    read: ({ health }) => health.tcp.map((check) => [check.host, check.port]),
    is: [["a", 1]],
  },
  {
    name: "a list's item is set by its index, and appended by the next one",
    text: `${file}health: {file: [{file: /a}, {file: /b}]}`,
    environment: {
      REGISTRY_HEALTH_FILECHECKERS_1_FILE: "/B",
      REGISTRY_HEALTH_FILECHECKERS_2_FILE: "/c",
    },
    read: ({ health }) => health.files.map((check) => check.path),
    is: ["/a", "/B", "/c"],
  },
  {
    name: "a list of plain values is set as a whole",
    text: `${file}http: {trustedproxies: [10.0.0.1]}`,
    environment: { REGISTRY_HTTP_TRUSTEDPROXIES: "[10.0.0.2]" },
    read: ({ http }) => http.trustedProxies,
    is: ["10.0.0.2"],
  },
  {
    name: "a list of plain values is set by index, where Distribution drops the value",
    text: `${file}http: {trustedproxies: [10.0.0.1]}`,
    environment: { REGISTRY_HTTP_TRUSTEDPROXIES_1: "10.0.0.2" },
    read: ({ http }) => http.trustedProxies,
    is: ["10.0.0.1", "10.0.0.2"],
  },
  {
    name: "a header may have dashes, and a new one is in lower case",
    environment: { "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin": '["*"]' },
    read: ({ http }) => [...http.headers],
    is: [["access-control-allow-origin", ["*"]]],
  },
  {
    name: "a header of the file is replaced, where Distribution sends both",
    text: `${file}http: {headers: {X-Content-Type-Options: [nosniff]}}`,
    environment: { "REGISTRY_HTTP_HEADERS_X-Content-Type-Options": "[none]" },
    read: ({ http }) => [...http.headers],
    is: [["X-Content-Type-Options", ["none"]]],
  },
  {
    name: "a field of the log is created in lower case",
    environment: { REGISTRY_LOG_FIELDS_SERVICE: "registry" },
    read: ({ log }) => [...log.fields],
    is: [["service", "registry"]],
  },
  {
    name: "a map below storage that the file has is reached, where Distribution gives up",
    text: `${file.trimEnd()}\n`.replace(
      "}}",
      "}, maintenance: {uploadpurging: {enabled: true, age: 1h}}}",
    ),
    environment: { REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED: "false" },
    read: ({ storage }) => storage.maintenance.uploadPurging,
    is: { isEnabled: false, ageMs: 3_600_000, intervalMs: 86_400_000, isDryRun: false },
  },
  {
    name: "a map below storage may be set as a whole",
    environment: { REGISTRY_STORAGE_MAINTENANCE_READONLY: "{'enabled': true}" },
    read: ({ storage }) => storage.maintenance.readOnly.isEnabled,
    is: true,
  },
  {
    name: "the old name of the log level is a variable too",
    environment: { REGISTRY_LOGLEVEL: "WARN" },
    read: ({ log }) => log.level,
    is: "warn",
  },
  {
    name: "without a file, variables are laid over the built-in defaults",
    environment: { REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: "/data" },
    read: ({ storage }) => storage.driver,
    is: {
      kind: "filesystem",
      rootDirectory: "/data",
      durability: "full",
      threadsMax: 16,
      reserveBytes: 4 << 20,
    },
  },
];

describe("the environment is laid over the file", () => {
  test.each([...rules])("$name", ({ text, environment, read, is }) => {
    const loaded = load(environment, text);
    expect(read(loaded.config)).toEqual(is);
    expect(loaded.warnings).toEqual([]);
  });

  test("a value says which variable it comes from", () => {
    const { origins } = load({ REGISTRY_LOG_LEVEL: "debug" });
    expect(origins.get("log.level")).toEqual({ kind: "environment", name: "REGISTRY_LOG_LEVEL" });
    expect(origins.get("storage.filesystem.rootdirectory")).toMatchObject({
      kind: "file",
      line: 2,
    });
    expect(origins.get("http.addr")).toEqual({ kind: "default" });
  });

  test("redis's options have two names", () => {
    const { notices, warnings } = load({
      REGISTRY_REDIS_ADDRS: "[a:1]",
      REGISTRY_REDIS_OPTIONS_ADDRS: "[a:1]",
      REGISTRY_REDIS_TLS_CERTIFICATE: "/c",
    });
    expect(warnings).toEqual([]);
    expect(notices.map((notice) => notice.path)).toEqual(["redis"]);
  });
});
