import { describe, expect, test } from "bun:test";
import { loadConfig } from "./load.ts";
import { load, start } from "./load-fixture.ts";

/** As the image registry:3 ships it. */
const version3 = `
version: 0.1
log:
  level: debug
  fields:
    service: registry
    environment: development
storage:
  delete:
    enabled: true
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
  tag:
    concurrencylimit: 5
http:
  addr: :5000
  debug:
    addr: :5001
    prometheus:
      enabled: true
      path: /metrics
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;

/** As the image registry:2 ships it. */
const version2 = `
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;

describe("the files that the official images ship", () => {
  test("registry:3", () => {
    const { config, warnings, notices } = load(version3);
    expect(warnings).toEqual([]);
    expect(notices.map((notice) => notice.path)).toEqual(["storage.cache", "storage.tag"]);
    expect(config).toMatchObject({
      log: {
        level: "debug",
        fields: new Map([
          ["service", "registry"],
          ["environment", "development"],
        ]),
      },
      storage: {
        driver: { kind: "filesystem", rootDirectory: "/var/lib/registry" },
        delete: { isEnabled: true },
      },
      database: { kind: "sqlite", metadataPath: "/var/lib/registry/berth/metadata.sqlite" },
      http: {
        listen: { kind: "tcp", port: 5000 },
        debug: { listen: { kind: "tcp", port: 5001 }, prometheusPath: "/metrics" },
      },
      health: { storageDriver: { intervalMs: 10_000, threshold: 3 } },
    });
  });

  test("registry:2", () => {
    const { config, warnings, notices } = load(version2);
    expect(warnings).toEqual([]);
    expect(notices.map((notice) => notice.path)).toEqual(["storage.cache"]);
    expect(config.storage.delete.isEnabled).toBe(false);
    expect(config.http.debug).toBeUndefined();
    expect([...config.http.headers]).toEqual([["X-Content-Type-Options", ["nosniff"]]]);
  });
});

describe("defaults", () => {
  test("without a file Berth can be tried at once", () => {
    const { config, origins, warnings, notices } = loadConfig({ environment: {} });
    expect(config.http.listen).toEqual({ kind: "tcp", port: 5000 });
    expect(config.storage.driver).toMatchObject({ kind: "filesystem", rootDirectory: "./data" });
    expect(config.storage.delete.isEnabled).toBe(true);
    expect(config.auth).toEqual({ kind: "none" });
    expect([...warnings, ...notices]).toEqual([]);
    expect(new Set([...origins.values()].map((origin) => origin.kind))).toEqual(
      new Set(["default"]),
    );
  });

  test("with a file they are Distribution's, where Berth has no reason to differ", () => {
    const { config } = load("version: 0.1\nstorage: filesystem");
    expect(config).toMatchObject({
      log: { level: "info", formatter: "text", accessLog: { isEnabled: true, format: "combined" } },
      storage: {
        driver: {
          kind: "filesystem",
          rootDirectory: "/var/lib/registry",
          durability: "full",
          threadsMax: 16,
          reserveBytes: 4_194_304,
        },
        delete: { isEnabled: false },
        maintenance: {
          uploadPurging: {
            isEnabled: true,
            ageMs: 604_800_000,
            intervalMs: 86_400_000,
            isDryRun: false,
          },
          readOnly: { isEnabled: false },
        },
      },
      http: {
        prefix: "/",
        areUrlsRelative: true,
        drainTimeoutMs: 60_000,
        isHttp2Enabled: false,
        limits: {
          manifestBytes: 4_194_304,
          uploadsPerRepository: 100,
          urlBytes: 8_192,
          tagsPerRequest: 20,
        },
      },
      catalog: { maxEntries: 1_000 },
      tags: { maxTags: 1_000 },
      validation: { isEnabled: true, manifests: { indexes: { platforms: "all" } } },
    });
    expect(config.http.tls).toBeUndefined();
    expect(config.http.trustedProxies).toBeUndefined();
    expect(config.health.storageDriver).toBeUndefined();
  });

  test.each([
    ["catalog: {maxentries: -1}", 1_000],
    ["catalog: {maxentries: 0}", 1_000],
    ["catalog: {maxentries: 7}", 7],
  ])("%s", (text, maxEntries) => {
    expect(load(`${start}${text}`).config.catalog.maxEntries).toBe(maxEntries);
  });

  test("a section without a value is a section with its defaults", () => {
    const text = `${start}http:\n  tls:\n  headers:\nlog:\nhealth:\n  file:\nredis:\nnotifications:\n`;
    expect(load(text).config).toEqual(load(start).config);
  });
});

describe("what a section means", () => {
  test("an access token's service", () => {
    const text = `${start}auth: {token: {realm: "https://a/t", service: s, issuer: i, jwks: /j, autoredirect: true, signingalgorithms: [es256]}}`;
    expect(load(text).config.auth).toEqual({
      kind: "token",
      realm: "https://a/t",
      service: "s",
      issuer: "i",
      jwksPath: "/j",
      autoRedirectPath: "/auth/token",
      signingAlgorithms: ["ES256"],
    });
  });

  test("TLS with certificates of clients", () => {
    const text = `${start}http: {tls: {certificate: /c, key: /k, clientcas: /ca, clientauth: verify-client-cert-if-given, minimumtls: tls1.3}}`;
    expect(load(text).config.http.tls).toEqual({
      certificatePath: "/c",
      keyPath: "/k",
      minimumVersion: "tls1.3",
      clientCertificates: { caPaths: ["/ca"], mode: "verify-client-cert-if-given" },
    });
  });

  test("a socket", () => {
    const { http } = load(`${start}http: {net: unix, addr: /run/berth.sock}`).config;
    expect(http.listen).toEqual({ kind: "unix", path: "/run/berth.sock" });
  });

  test("PostgreSQL", () => {
    const url = "postgres://u:p@h:5432/d";
    expect(load(`${start}database: {url: "${url}"}`).config.database).toEqual({
      kind: "postgresql",
      url,
    });
  });

  test("nothing is kept", () => {
    const { config } = load("version: 0.1\nstorage: inmemory");
    expect([config.storage.driver, config.database]).toEqual([
      { kind: "inmemory" },
      { kind: "memory" },
    ]);
  });

  test.each(["/a/", "/a", "a", "/a//"])("the prefix %s", (prefix) => {
    expect(load(`${start}http: {prefix: "${prefix}"}`).config.http.prefix).toBe("/a/");
  });

  test("the old name of the level counts where the new one is not set", () => {
    const { config, origins } = load(`${start}loglevel: error`);
    expect(config.log.level).toBe("error");
    expect(origins.get("log.level")).toMatchObject({ kind: "file", line: 3 });
    expect(load(`${start}loglevel: error\nlog: {level: debug}`).config.log.level).toBe("debug");
  });

  test("layers by URL", () => {
    const { urls } = load(`${start}validation: {manifests: {urls: {allow: ["(?i)^https://a"]}}}`)
      .config.validation.manifests;
    expect(urls.allow[0]?.test("HTTPS://A/b")).toBe(true);
  });
});
