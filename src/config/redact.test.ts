import { expect, test } from "bun:test";
import { checkConfig, showConfig } from "../cli/config.ts";
import { loadConfig } from "./load.ts";
import { redactedLines } from "./redact.ts";

const canary = "hunter2";

test("each value is shown with its origin", () => {
  const text =
    "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /data\nhttp:\n  headers:\n    X.A: [b, 'c d']\n";
  const lines = redactedLines(
    loadConfig({ text, environment: { REGISTRY_HTTP_DRAINTIMEOUT: "90s" } }),
    "config.yml",
  );
  expect(lines).toContain("storage.filesystem.rootdirectory: /data  # config.yml:4:20");
  expect(lines).toContain("http.draintimeout: 90s  # environment REGISTRY_HTTP_DRAINTIMEOUT");
  expect(lines).toContain("http.limits.manifestbytes: 4MiB  # default");
  expect(lines).toContain('http.headers.X.A: [b, "c d"]  # config.yml:7:10');
  expect(lines).toContain("metadata.database: /data/berth/metadata.sqlite  # default");
  expect(lines).toEqual([...lines].sort());
});

test("no secret is shown", async () => {
  const text = `
version: 0.1
storage: {filesystem: {rootdirectory: /data}}
database: {url: "postgres://berth:${canary}@db/berth"}
http: {secret: ${canary}}
redis: {password: ${canary}}
proxy: {password: ${canary}}
reporting: {bugsnag: {apikey: ${canary}}}
health: {http: [{uri: "https://u:${canary}@a/b?token=${canary}", headers: {Authorization: [${canary}]}}]}
`;
  const options = { text, environment: { REGISTRY_REDIS_PASSWORD: canary } };
  const shown = [...showConfig(options).lines, ...(await checkConfig(options)).lines].join("\n");
  expect(shown).not.toContain(canary);
  expect(shown).toContain("database.url: (hidden)");
  expect(shown).toContain('health.http[0].uri: "https://(hidden)@a/b?(hidden)"');
});

test("no secret is in what is said to be wrong", async () => {
  const text = `
version: 0.1
storage: {s3: {secretkey: ${canary}}}
database: {url: "mysql://berth:${canary}@db/berth"}
http: {host: "https://u:${canary}@a", secret: [${canary}]}
proxy: {remoteurl: "https://u:${canary}@a", password: {a: ${canary}}}
notifications: {endpoints: [{url: "https://${canary}@a", headers: {Authorization: [${canary}]}}]}
health: {http: [{uri: "${canary}", headers: {Authorization: {a: ${canary}}}}]}
`;
  const environment = { REGISTRY_HTTP_SECRET: `*${canary}`, REGISTRY_REDIS_PASSWORD: `"${canary}` };
  const { lines, exitCode } = await checkConfig({ text, environment });
  expect(exitCode).toBe(1);
  expect(lines.length).toBeGreaterThan(6);
  expect(lines.join("\n")).not.toContain(canary);
});
