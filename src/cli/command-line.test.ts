import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * What a person reads when a start fails. The program is run as a process of its own, because its
 * standard error is what is asked about.
 */
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-command-line-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a problem of a configuration is named with its file, line and column", () => {
  const file = join(folder, "wrong.yml");
  writeFileSync(file, "version: 0.1\nstorage:\n  filesystem: {}\nhttp:\n  draintimeot: 5s\n");
  const { exitCode, stderr } = run(file);
  expect(stderr).toBe(
    `error: ${file}:5:3: http.draintimeot: there is no such key; did you mean http.draintimeout?\n`,
  );
  expect(exitCode).toBe(1);
});

test("a storage that cannot be opened is named with the system's reason", () => {
  const blocked = join(folder, "a-file");
  writeFileSync(blocked, "");
  const file = join(folder, "blocked.yml");
  const root = join(blocked, "data");
  writeFileSync(
    file,
    `version: 0.1\nstorage: {filesystem: {rootdirectory: "${root}"}}\nhttp: {addr: "127.0.0.1:0"}\n`,
  );
  const { exitCode, stderr } = run(file);
  expect(stderr).toStartWith(`berth: cannot open ${root}: `);
  expect(stderr).toMatch(/ENOTDIR|EEXIST/);
  expect(exitCode).toBe(1);
});

function run(file: string): { readonly exitCode: number; readonly stderr: string } {
  const main = join(import.meta.dir, "..", "main.ts");
  // Variables of the machine must not be laid over these files.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("REGISTRY_")),
  );
  const result = Bun.spawnSync([process.execPath, main, "serve", file], { env, stdout: "ignore" });
  return { exitCode: result.exitCode, stderr: result.stderr.toString() };
}

test("a configuration that cannot be read is named, by serve and by config check alike", () => {
  const main = join(import.meta.dir, "..", "main.ts");
  for (const file of [join(folder, "nowhere.yml"), folder]) {
    for (const command of [["serve"], ["config", "check"], ["config", "show"]]) {
      const { exitCode, stderr } = Bun.spawnSync([process.execPath, main, ...command, file], {
        env: { PATH: process.env["PATH"] },
        stdout: "ignore",
      });
      expect(stderr.toString()).toStartWith(`berth: the configuration ${file} cannot be read: `);
      expect(exitCode).toBe(1);
    }
  }
});
