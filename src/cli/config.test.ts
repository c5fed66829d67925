import { expect, test } from "bun:test";
import { checkConfig, showConfig } from "./config.ts";

const environment = {};

test("a configuration that is fine says so, and what it does not need", () => {
  const text = "version: 0.1\nstorage: {filesystem: {maxthreads: 100}, tag: {concurrencylimit: 8}}";
  const { lines, exitCode } = checkConfig({
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

test("a configuration that is not fine ends with 1 and a line for each mistake", () => {
  const text = "version: 0.1\nstorage: s3\nhttp: {adr: a}";
  const { lines, exitCode } = checkConfig({ text, fileName: "c.yml", environment });
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

test("a certificate that cannot be used is found before the start", () => {
  const text =
    "version: 0.1\nstorage: inmemory\nhttp: {tls: {certificate: /none/a.crt, key: /none/a.key}}";
  const { lines, exitCode } = checkConfig({ text, fileName: "c.yml", environment });
  expect(lines).toEqual([
    expect.stringContaining("error: http.tls.certificate: /none/a.crt cannot be read"),
  ]);
  expect(exitCode).toBe(1);
});
