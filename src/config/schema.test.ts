import { describe, expect, test } from "bun:test";
import { loadConfig } from "./load.ts";
import { groupsOf } from "./reference.ts";
import { environmentNameOf, keyOf, keys, sections } from "./schema.ts";

const used = keys.filter((key) => key.standing === undefined && key.isMember === undefined);

test("no key and no section is there twice", () => {
  const paths = [...keys.map((key) => key.path), ...sections.map((section) => section.path)];
  expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
});

test("keys are in lower case, and names of variables in upper case", () => {
  for (const { path } of keys) expect(path).toMatch(/^[a-z0-9_.<>[\]]+$/);
  expect(environmentNameOf("health.file[].file")).toBe("REGISTRY_HEALTH_FILECHECKERS_0_FILE");
  expect(environmentNameOf("http.headers.<name>")).toBe("REGISTRY_HTTP_HEADERS_<name>");
  expect(environmentNameOf("redis.addrs")).toBe("REGISTRY_REDIS_ADDRS");
});

test("what is accepted or refused says why, in a sentence", () => {
  for (const row of [...keys, ...sections]) {
    if (row.standing !== undefined)
      expect([row.path, row.why]).toEqual([row.path, expect.stringMatching(/\.$/)]);
  }
});

test("every key has a sentence, and a default or an example", () => {
  for (const key of used) {
    expect([key.path, key.prose]).toEqual([key.path, expect.stringMatching(/[.`]$/)]);
    expect([key.path, key.default ?? key.example]).toEqual([key.path, expect.any(String)]);
  }
});

test("every key that is used belongs to a group of the documents", () => {
  expect(groupsOf(used).flatMap(([, group]) => group).length).toBe(used.length);
});

test("a path that is not in the table is a mistake of the program", () => {
  expect(() => keyOf("http.adr")).toThrow("http.adr");
});

describe("every key that is used is read", () => {
  const text = `
version: 0.1
storage: {filesystem: {}}
log: {fields: {a: b}}
http:
  headers: {X-A: b}
  trustedproxies: [10.0.0.1]
  host: https://a
  prefix: /a/
  tls: {certificate: a, key: b, clientcas: [c], ciphersuites: [TLS_AES_128_GCM_SHA256]}
  debug: {addr: ":1"}
metadata: {database: /a}
health: {file: [{file: a}], http: [{uri: "http://a", headers: {A: b}}], tcp: [{addr: "a:1"}]}
retention: {rules: [{repositories: [a], keep: {tags: [b]}, protect: [c]}]}
immutabletags: [{repositories: [a], tags: [b], except: [c]}]
validation: {manifests: {urls: {allow: [a], deny: [b]}, indexes: {platformlist: [{os: a, architecture: b}]}}}
`;
  const token =
    "auth: {token: {realm: a, service: b, issuer: c, rootcertbundle: d, jwks: e, autoredirect: true}}";
  const variants = [
    `${text}auth: {htpasswd: {realm: a, path: b}}`,
    `${text.replace("metadata: {database: /a}", "database: {url: postgres://a/b}")}${token}`,
  ];
  const read = new Set(
    variants.flatMap((variant) => [
      ...loadConfig({ text: variant, environment: {} }).values.keys(),
    ]),
  );

  test.each(used.map((key) => key.path))("%s", (path) => {
    const concrete = path.replace("[]", "[0]").replace("http.headers.<name>", "http.headers.X-A");
    const names = ["health.http[0].headers.A", "log.fields.a"];
    const found = names.find(
      (name) =>
        path.endsWith("<name>") && concrete.startsWith(name.slice(0, name.lastIndexOf("."))),
    );
    expect([...read]).toContain(found ?? concrete);
  });
});
