import { describe, expect, test } from "bun:test";
import { load, problemLines, problems, start } from "./load-fixture.ts";

describe("what is accepted says why nothing is lost", () => {
  test.each([
    ["redis: {addrs: [a:1], password: p, tls: {certificate: /c}}", "redis"],
    ["redis: {addr: a:1, pool: {maxidle: 16}}", "redis"],
    ["http: {secret: s}", "http.secret"],
    ["reporting: {bugsnag: {apikey: k}}", "reporting"],
    ["compatibility: {schema1: {enabled: true}}", "compatibility"],
    ["log: {reportcaller: true}", "log.reportcaller"],
    ["policy: {repository: {classes: [image]}}", "policy.repository.classes"],
    ["validation: {enabled: true}", "validation.enabled"],
    ["notifications: {events: {includereferences: true}}", "notifications.events"],
    ["proxy: {username: u, password: p}", "proxy.username"],
  ])("%s", (text, path) => {
    const { notices } = load(`${start}${text}`);
    expect(notices[0]).toMatchObject({ path, origin: { kind: "file", line: 3 } });
    expect(notices[0]?.message).toMatch(/\.$/);
  });

  test.each([
    "cache: {layerinfo: inmemory}",
    "redirect: {disable: true}",
    "tag: {concurrencylimit: 8}",
  ])("storage %s", (text) => {
    expect(
      load(`version: 0.1\nstorage:\n  filesystem: {rootdirectory: /data}\n  ${text}`).notices,
    ).toHaveLength(1);
  });
});

describe("below a section that is not needed, nothing is looked at", () => {
  test.each([
    // What Harbor and others write there.
    ["redis: {addr: a:1, enableTLS: false}", "redis"],
    ["redis: {sentinel: {masterSet: m, addresses: [a:1]}, pool: {wait: true}}", "redis"],
    ["reporting: {newrelic: {appname: a}}", "reporting"],
  ])("%s", (text, path) => {
    expect(load(`${start}${text}`).notices.map((notice) => notice.path)).toEqual([path]);
  });
});

describe("what Berth cannot do stops the start, with its place", () => {
  test.each([
    [
      "http: {tls: {letsencrypt: {email: a@b, hosts: [a]}}}",
      "config.yml:3:14: http.tls.letsencrypt",
    ],
    ["http: {h2c: {enabled: true}}", "config.yml:3:14: http.h2c.enabled"],
    ["proxy: {remoteurl: https://a}", "config.yml:3:9: proxy.remoteurl"],
    [
      "notifications: {endpoints: [{name: a, url: http://a}]}",
      "config.yml:3:17: notifications.endpoints",
    ],
    [
      "middleware: {storage: [{name: redirect, options: {baseurl: a}}]}",
      "config.yml:3:14: middleware.storage",
    ],
    ["middleware: {repository: [{name: a}]}", "config.yml:3:14: middleware.repository"],
    ["log: {hooks: [{type: mail, levels: [panic]}]}", "config.yml:3:7: log.hooks"],
    ["auth: {silly: {realm: a, service: b}}", "config.yml:3:8: auth.silly"],
    ["auth: silly", "config.yml:3:7: auth.silly"],
  ])("%s", (text, line) => {
    expect(problemLines(`${start}${text}`)).toEqual([expect.stringContaining(`${line}: `)]);
  });

  test.each([
    "s3: {bucket: a, region: b}",
    "azure: {accountname: a}",
    "gcs: {bucket: a}",
    "swift: {}",
    "oss: {}",
  ])("storage %s", (text) => {
    const [name] = text.split(":");
    expect(problemLines(`version: 0.1\nstorage:\n  ${text}\n`)).toEqual([
      expect.stringContaining(`config.yml:3:3: storage.${name}: `),
    ]);
  });

  test.each([
    "notifications: {endpoints: []}",
    "notifications: {endpoints: [{name: a, url: http://a, disabled: true}]}",
    "middleware: {registry: [{name: a, disabled: yes}]}",
    "proxy: {remoteurl: }",
    'proxy: {remoteurl: ""}',
    "http: {tls: {letsencrypt: {cachefile: , hosts: []}}}",
    "http: {tls: {certificate: /c, key: /k, letsencrypt: {hosts: [a]}}}",
    "http: {h2c: {enabled: false}}",
    "log: {hooks: [{type: mail, disabled: true}]}",
  ])("%s is switched off, so it does not", (text) => {
    expect(problemLines(`${start}${text}`)).toEqual([]);
  });
});

describe("what does not fit", () => {
  test.each([
    ["an unknown key", "htp: {}", "htp: there is no such key; did you mean http?"],
    [
      "an unknown key below",
      "http: {address: a}",
      "http.address: there is no such key; did you mean http.addr?",
    ],
    ["a key cut short", "http: {tls: {cert: a}}", "did you mean http.tls.certificate?"],
    [
      "a key with too much",
      "logging: {level: info}",
      "logging: there is no such key; did you mean log?",
    ],
    ["a key with a letter less and too much", "loging: {}", "did you mean log?"],
    ["a key in the wrong place", "draintimeout: 5s", "did you mean http.draintimeout?"],
    ["a key that nothing is like", "zzzzzzzz: 1", "zzzzzzzz: there is no such key"],
    [
      "a key of which there are many elsewhere",
      "http: {timeout: 60s, debug: {prometheus: {disabled: true}}}",
      "http.timeout: there is no such key\nconfig.yml:3:43: http.debug.prometheus.disabled: there is no such key",
    ],
    [
      "a duration without a unit",
      "http: {draintimeout: 60}",
      'config.yml:3:22: http.draintimeout: "60" is not a duration',
    ],
    ["a negative duration", "http: {draintimeout: -1s}", "is not a duration"],
    [
      "a choice that there is not",
      "log: {level: trace}",
      '"trace" is not one of error, warn, info, debug',
    ],
    [
      "TLS that nobody should speak",
      "http: {tls: {minimumtls: tls1.0}}",
      "not one of tls1.2, tls1.3",
    ],
    ["a list for a word", "http: {host: [a]}", "a list is not a text"],
    ["a map for a list", "http: {trustedproxies: {a: b}}", "a map is not a text"],
    ["a word for a map", "http: a", 'http: "a" is not a map of keys'],
    ["a word for a list of maps", "health: {file: /a}", '"/a" is not a list of maps'],
    ["a word for an item", "health: {file: [/a]}", 'health.file[0]: "/a" is not a map of keys'],
    ["a word for headers", "http: {headers: a}", "not a map of names"],
    ["too short", "gc: {grace: 5m}", '"5m" is less than 1h'],
    ["too small", "http: {limits: {tagsperrequest: 0}}", '"0" is less than 1'],
    ["too large", "auth: {htpasswd: {realm: a, path: b, cachettl: 2h}}", '"2h" is more than 1h'],
    ["an address without a port", "http: {addr: localhost}", '"localhost" is not host:port'],
    ["a URL of another scheme", "http: {host: ftp://example.com}", "write it with its scheme"],
    ["a prefix with a query", "http: {prefix: /a?b}", "is not a path"],
    [
      "a block that is none",
      "http: {trustedproxies: [10.0.0.0/33]}",
      '"10.0.0.0/33" is not an address',
    ],
    [
      "a certificate without a key",
      "http: {tls: {certificate: /c}}",
      "http.tls.key must be set too",
    ],
    [
      "a key without a certificate",
      "http: {tls: {key: /k}}",
      "http.tls.certificate must be set too",
    ],
    [
      "certificates of clients without TLS",
      "http: {tls: {clientcas: [/c]}}",
      "only where http.tls.certificate",
    ],
    ["a header that breaks the line", 'http: {headers: {A: ["b\\r\\nC: d"]}}', "line breaks"],
    [
      "a length for every answer",
      'http: {headers: {content-length: ["5"]}}',
      "Berth sets it itself",
    ],
    ["a framing for every answer", "http: {headers: {Transfer-Encoding: [x]}}", "sets it itself"],
    ["a header that is none", 'http: {headers: {"A B": [c]}}', "not the name of a header"],
    ["two kinds of auth", "auth: {htpasswd: {realm: a, path: b}, none: }", "keep exactly one"],
    ["auth without what it needs", "auth: htpasswd", "auth.htpasswd.path: this must be set"],
    [
      "tokens that nothing can verify",
      "auth: {token: {realm: a, service: b, issuer: c}}",
      "no key can verify a token",
    ],
    [
      "an expression that is none",
      "validation: {manifests: {urls: {allow: ['(']}}}",
      "regular expression",
    ],
    ["two databases", "database: {url: postgres://a/b}\nmetadata: {database: /a}", "not both"],
    ["another database", "database: {url: mysql://a/b}", "not the URL of a PostgreSQL database"],
    ["a socket without a path", "http: {net: unix}", "must be the path of the socket"],
    ["a check without its file", "health: {file: [{}]}", "health.file[0].file: this must be set"],
    ["a check of no URL", "health: {http: [{uri: a}]}", "not a URL"],
    ["a check of no address", "health: {tcp: [{addr: a}]}", '"a" is not host:port'],
  ])("%s", (_, text, message) => {
    expect(problemLines(`${start}${text}`).join("\n")).toContain(message);
  });

  test.each([
    ["no version", "storage: inmemory", "version: this must be set, to 0.1"],
    ["another version", "version: 0.2\nstorage: inmemory", '"0.2" is not known'],
    ["no storage", "version: 0.1", "there is no storage driver"],
    ["two drivers", "version: 0.1\nstorage: {filesystem: {}, inmemory: {}}", "two drivers"],
    [
      "an empty directory",
      'version: 0.1\nstorage: {filesystem: {rootdirectory: ""}}',
      "cannot be empty",
    ],
    ["a list", "- a", "a configuration is a map of keys"],
    ["nothing", "", "this must be set"],
  ])("%s", (_, text, message) => {
    expect(problemLines(text).join("\n")).toContain(message);
  });

  test("everything is said at once", () => {
    const text = "version: 0.1\nstorage: {s3: {}}\nhttp: {adr: a, draintimeout: 5}\nauth: token\n";
    expect(problems(text).map((problem) => problem.path)).toEqual([
      "storage.s3",
      "http.adr",
      "http.draintimeout",
      "auth.token",
      "auth.token.realm",
      "auth.token.service",
      "auth.token.issuer",
    ]);
  });

  test("what has no effect is a warning", () => {
    const { warnings } = load(
      `${start}http: {debug: {prometheus: {enabled: true}}, tls: {certificate: a, key: b, clientauth: request-client-cert}}`,
    );
    expect(warnings.map((notice) => notice.path)).toEqual([
      "http.tls.clientauth",
      "http.debug.prometheus.enabled",
    ]);
  });

  test.each(["example.com", "example.com:5000", "localhost:5000/a"])(
    "a host without a scheme, %s, is passed over as in Distribution, and said",
    (host) => {
      const { config, warnings } = load(`${start}http: {host: "${host}"}`);
      expect(config.http.host).toBeUndefined();
      expect(warnings.map(({ path, message }) => [path, message])).toEqual([
        ["http.host", expect.stringContaining("ignored: write it with its scheme")],
      ]);
    },
  );

  test("a line of a message is one line", () => {
    const [line = ""] = problemLines(`${start}"a\\nb\\e[31m": 1`);
    expect(line).toContain("a\uFFFDb\uFFFD[31m: there is no such key");
  });
});
