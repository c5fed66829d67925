import { describe, expect, test } from "bun:test";
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
