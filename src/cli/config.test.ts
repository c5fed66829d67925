import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig, showConfig } from "./config.ts";

const environment = {};

function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "berth-config-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("a configuration that is fine says so, and what it does not need", async () => {
  const text = "version: 0.1\nstorage: {filesystem: {maxthreads: 100}, tag: {concurrencylimit: 8}}";
  const { lines, exitCode } = await checkConfig({
    text,
    fileName: "c.yml",
    environment: { REGISTRY_HTTP_ADR: "a" },
  });
  expect(exitCode).toBe(0);
  expect(lines).toEqual([
    expect.stringContaining("warning: environment REGISTRY_HTTP_ADR: "),
    expect.stringContaining("not needed: c.yml:2:"),
    "c.yml is fine",
  ]);
});

test("a configuration that is not fine ends with 1 and a line for each mistake", async () => {
  const text = "version: 0.1\nstorage: s3\nhttp: {adr: a}";
  const { lines, exitCode } = await checkConfig({ text, fileName: "c.yml", environment });
  expect(exitCode).toBe(1);
  expect(lines).toHaveLength(2);
  expect(lines.every((line) => line.startsWith("error: c.yml:"))).toBe(true);
  expect(showConfig({ text, fileName: "c.yml", environment })).toEqual({ lines, exitCode });
});

test("the built-in configuration can be shown", () => {
  const { lines, exitCode } = showConfig({ environment });
  expect(exitCode).toBe(0);
  expect(lines).toContain("storage.filesystem.rootdirectory: ./data  # default");
});

test("a variable that is ignored is named where the effective values are shown", () => {
  const { lines, exitCode } = showConfig({ environment: { REGISTRY_HTTP_ADR: "a" } });
  expect(exitCode).toBe(0);
  expect(lines[0]).toStartWith("# warning: environment REGISTRY_HTTP_ADR: there is no such key");
});

test("a password file that the start could not read is found before it", async () => {
  using folder = temporaryFolder();
  const check = (path: string) =>
    checkConfig({
      text: `version: 0.1\nstorage: inmemory\nauth: {htpasswd: {realm: r, path: ${path}}}`,
      fileName: "c.yml",
      environment,
    });
  expect(await check(folder.path)).toEqual({
    lines: [
      expect.stringContaining(`error: auth.htpasswd: ${folder.path} is a folder, and a file is`),
    ],
    exitCode: 1,
  });
  // Looking makes nothing.
  const missing = join(folder.path, "missing");
  expect(await check(missing)).toEqual({
    lines: [
      `warning: auth.htpasswd.path: there is no ${missing}; the start makes it, with a user docker and a random password that the log has once`,
      "c.yml is fine",
    ],
    exitCode: 0,
  });
  expect(existsSync(missing)).toBe(false);
  const old = join(folder.path, "old");
  writeFileSync(old, "alice:$apr1$x$y\n");
  expect(await check(old)).toEqual({
    lines: [
      "warning: a line of the htpasswd file has an MD5 hash of Apache; only bcrypt is accepted: line 1",
      "warning: the htpasswd file has no user that could log in",
      "c.yml is fine",
    ],
    exitCode: 0,
  });
});

test("keys of tokens that the start could not use are found before it", async () => {
  const text =
    "version: 0.1\nstorage: inmemory\nauth: {token: {realm: http://a/, service: s, issuer: i, jwks: /none/keys}}";
  const { lines, exitCode } = await checkConfig({ text, fileName: "c.yml", environment });
  expect(lines).toEqual([
    "error: auth.token: cannot read /none/keys: ENOENT: no such file or directory, open '/none/keys'",
  ]);
  expect(exitCode).toBe(1);
});

test("a certificate that cannot be used is found before the start", async () => {
  const text =
    "version: 0.1\nstorage: inmemory\nhttp: {tls: {certificate: /none/a.crt, key: /none/a.key}}";
  const { lines, exitCode } = await checkConfig({ text, fileName: "c.yml", environment });
  expect(lines).toEqual([
    expect.stringContaining("error: http.tls.certificate: /none/a.crt cannot be read"),
  ]);
  expect(exitCode).toBe(1);
});
