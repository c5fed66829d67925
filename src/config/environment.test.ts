import { describe, expect, test } from "bun:test";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import type { Environment } from "./environment.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";

const file = "version: 0.1\nstorage: {filesystem: {rootdirectory: /data}}\n";

function load(environment: Environment, text = file): LoadedConfig {
  return loadConfig({ text, fileName: "config.yml", environment });
}

function problems(environment: Environment, text = file): string {
  try {
    load(environment, text);
  } catch (cause) {
    if (cause instanceof ConfigError) return cause.message;
    throw cause;
  }
  return "";
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

describe("a variable that names no key is ignored with a warning", () => {
  test.each([
    ["REGISTRY_HTTP_ADR", "REGISTRY_HTTP_ADDR"],
    ["REGISTRY_http_addr", "REGISTRY_HTTP_ADDR"],
    [
      "REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES",
      "REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES",
    ],
    ["REGISTRY_HEALTH_FILE_0_FILE", "REGISTRY_HEALTH_FILECHECKERS_0_FILE"],
    ["REGISTRY_HEALTH_HTTP_0_URI", "REGISTRY_HEALTH_HTTPCHECKERS_0_URI"],
    ["REGISTRY_HEALTH_TCP_0_ADDR", "REGISTRY_HEALTH_TCPCHECKERS_0_ADDR"],
    ["REGISTRY_LOG_HOOKS_0_OPTIONS_SMTP_ADDR", "REGISTRY_LOG_HOOKS_0_MAILOPTIONS_SMTP_ADDR"],
    ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIR", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"],
    ["REGISTRY_HTTP_TLS_CERT", "REGISTRY_HTTP_TLS_CERTIFICATE"],
    ["REGISTRY_PORT", undefined],
    ["REGISTRY_PORT_5000_TCP_ADDR", undefined],
    ["REGISTRY_SERVICE_HOST", undefined],
    ["REGISTRY_HTTP_ADDR_HOST", "REGISTRY_HTTP_ADDR"],
    ["REGISTRY_", undefined],
  ])("%s", (name, meant) => {
    const { config, warnings } = load({ [name]: "tcp://10.0.0.1:5000" });
    expect(warnings.map((notice) => notice.origin)).toEqual([{ kind: "environment", name }]);
    expect(warnings[0]?.message).toContain("ignored");
    if (meant !== undefined) expect(warnings[0]?.message).toContain(`did you mean ${meant}?`);
    expect(config).toEqual(load({}).config);
  });

  test("a key with a _ in its name, which no variable can set: it is not what was meant instead", () => {
    const name = "REGISTRY_STORAGE_AZURE_MAX_RETRIES";
    expect(load({ [name]: "5" }).warnings[0]?.message).not.toContain(`did you mean ${name}?`);
  });

  test("whatever its value is", () => {
    for (const value of ["*", "{", "a: b: c"]) {
      const { warnings } = load({ REGISTRY_PASSWORD: value });
      expect(warnings[0]?.message).toContain("ignored");
    }
  });

  test.each([
    ["REGISTRY_HTTP_HEADERS_ACCESS_CONTROL_ALLOW_ORIGIN", "*"],
    ["REGISTRY_HTTP_HEADERS_ACCESS_CONTROL_ALLOW_ORIGIN", "['*']"],
    ["REGISTRY_HTTP_HEADERS_X_FRAME", "[DENY]"],
  ])("a header written with _, which many do: %s=%s", (name, value) => {
    const { config, warnings } = load({ [name]: value });
    expect(config).toEqual(load({}).config);
    const meant = name.replace(/^(REGISTRY_HTTP_HEADERS_)(.*)$/, (_, path, header) => {
      return path + header.replaceAll("_", "-");
    });
    expect(warnings[0]?.message).toContain(`a header's name keeps its -: ${meant}`);
  });

  test("the version cannot be set", () => {
    expect(load({ REGISTRY_VERSION: "0.2" }).warnings[0]?.message).toContain("version");
  });

  test("a key in the value of a variable that there is not", () => {
    const { warnings } = load({ REGISTRY_HTTP: "{adr: x}" });
    expect(warnings[0]?.message).toContain("did you mean http.addr?");
  });

  test("what the command line reads, and what is another program's, is not looked at", () => {
    const environment = { REGISTRY_CONFIGURATION_PATH: "/c.yml", OTEL_TRACES_EXPORTER: "none" };
    expect(load(environment).warnings).toEqual([]);
  });
});

describe("a registry that was told to ask for passwords does not start without", () => {
  test.each([
    [{ REGISTRY_AUTH: "ldap" }, "REGISTRY_AUTH: auth.ldap: there is no such key"],
    [{ REGISTRY_AUTH: "{htpaswd: {realm: a, path: b}}" }, "did you mean auth.htpasswd?"],
    [
      { REGISTRY_AUTH_HTPASWD_REALM: "a", REGISTRY_AUTH_HTPASWD_PATH: "b" },
      "did you mean REGISTRY_AUTH_HTPASSWD_REALM?",
    ],
    // What Kubernetes sets for a service that is called registry-auth; Distribution stops too.
    [{ REGISTRY_AUTH_PORT: "tcp://10.0.0.1:5001" }, "REGISTRY_AUTH=none"],
  ] as const)("%j", (environment, message) => {
    expect(problems(environment)).toContain(message);
    expect(problems(environment)).toContain("no authentication is chosen");
  });

  test.each([
    [{ REGISTRY_AUTH: "none", REGISTRY_AUTH_PORT: "tcp://10.0.0.1:5001" }, "none"],
    [
      {
        REGISTRY_AUTH: "Htpasswd",
        REGISTRY_AUTH_HTPASSWD_REALM: "a",
        REGISTRY_AUTH_HTPASSWD_PATH: "b",
      },
      "htpasswd",
    ],
    [{ REGISTRY_AUTHOR: "me" }, "none"],
    [{ REGISTRY_AUTH: "" }, "none"],
  ] as const)("%j does", (environment, kind) => {
    expect(load(environment).config.auth.kind).toBe(kind);
  });
});

describe("a variable that cannot be applied stops the start", () => {
  test.each([
    [
      "an index beyond the next one",
      { REGISTRY_HEALTH_FILECHECKERS_1_FILE: "/a" },
      "there is no item 1",
    ],
    [
      "an index that is no number",
      { REGISTRY_HEALTH_FILECHECKERS_X_FILE: "/a" },
      "X is not an index",
    ],
    ["a value that is not YAML", { REGISTRY_HTTP_ADDR: "[a" }, "not YAML"],
    [
      "a value that needs quotes for YAML",
      { REGISTRY_HTTP_ADDR: "[::]:5000" },
      "a variable's value is read as YAML, so this one may need quotes inside: '\"…\"'",
    ],
    [
      "a value of the wrong type",
      { REGISTRY_HTTP_RELATIVEURLS: "maybe" },
      '"maybe" is not true or false',
    ],
    ["a driver beside the file's", { REGISTRY_STORAGE_INMEMORY: "{}" }, "two drivers"],
    ["a driver that is not there", { REGISTRY_STORAGE: "s3" }, "storage.s3"],
    ["a driver that is not there, by a key", { REGISTRY_STORAGE_S3_BUCKET: "b" }, "storage.s3"],
    [
      "a webhook",
      { REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL: "http://a" },
      "notifications.endpoints",
    ],
    ["a middleware", { REGISTRY_MIDDLEWARE_STORAGE_0_NAME: "cloudfront" }, "middleware.storage"],
    ["a mirror", { REGISTRY_PROXY_REMOTEURL: "https://registry-1.docker.io" }, "proxy.remoteurl"],
  ])("%s", (_, environment, message) => {
    const [name = ""] = Object.keys(environment);
    expect(problems(environment)).toContain(`environment ${name}`);
    expect(problems(environment)).toContain(message);
  });

  test("ten items must not be skipped: _10 comes before _2", () => {
    const many = Object.fromEntries(
      Array.from({ length: 11 }, (_, index) => [
        `REGISTRY_HEALTH_FILECHECKERS_${index}_FILE`,
        "/a",
      ]),
    );
    expect(problems(many)).toContain("there is no item 10");
  });
});
