import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

test("a password file that is a folder, as in Debian's own configuration, is named with its key", () => {
  const file = join(folder, "debian.yml");
  writeFileSync(
    file,
    `version: 0.1\nstorage: inmemory\nauth: {htpasswd: {realm: basic-realm, path: "${folder}"}}\n`,
  );
  const { exitCode, stderr } = run(file);
  expect(stderr).toStartWith(
    `berth: auth.htpasswd: ${folder} is a folder, and a file is needed: EISDIR: `,
  );
  expect(exitCode).toBe(1);
});

test("who closes standard output early has seen enough: no command complains", () => {
  const main = join(import.meta.dir, "..", "main.ts");
  const file = join(folder, "minimal.yml");
  writeFileSync(file, "version: 0.1\nstorage: inmemory\n");
  const password = join(folder, "htpasswd");
  const commands = [
    "--help",
    "help gc",
    "--version",
    `config show ${file}`,
    `config check ${file}`,
    `htpasswd add ${password} alice`,
    `cert init --folder ${join(folder, "certs")} registry.example`,
  ];
  for (const command of commands) {
    // The reader is gone before the first byte: the pipe is opened and closed at once.
    const line = `{ sleep 0.05; echo secret | "$0" "$1" ${command}; echo "exit $?" >&2; } | true`;
    const { stderr } = Bun.spawnSync(["sh", "-c", line, process.execPath, main], {
      env: { PATH: process.env["PATH"] },
    });
    expect([command, stderr.toString()]).toEqual([command, "exit 0\n"]);
  }
});

test("a command on a folder without a registry says so, and makes nothing there", () => {
  const root = join(folder, "not-mounted");
  const file = join(folder, "not-mounted.yml");
  writeFileSync(file, `version: 0.1\nstorage: {filesystem: {rootdirectory: "${root}"}}\n`);
  const commands = [
    ["backup", join(folder, "backup"), "--config"],
    ["fsck", "--config"],
    ["gc", "preview", "--config"],
    ["garbage-collect"],
    ["metadata", "verify"],
    ["metadata", "rebuild"],
  ];
  for (const command of commands) {
    expect(run(file, command)).toEqual({
      exitCode: 1,
      stdout: "",
      stderr:
        `berth: there is no registry in ${root}; name the configuration of the one that you mean ` +
        "(REGISTRY_CONFIGURATION_PATH works for every command)\n",
    });
  }
  expect(existsSync(root)).toBe(false);
  expect(existsSync(join(folder, "backup"))).toBe(false);
});

test("garbage-collect takes the values of its flags that Distribution takes", () => {
  const root = join(folder, "collected");
  mkdirSync(join(root, "docker/registry/v2"), { recursive: true });
  const file = join(folder, "collected.yml");
  writeFileSync(file, `version: 0.1\nstorage: {filesystem: {rootdirectory: "${root}"}}\n`);
  const collect = (...flags: readonly string[]): string =>
    run(file, ["garbage-collect", ...flags]).stdout;
  expect(collect("--delete-untagged=true", "--dry-run=true")).toContain("would be removed");
  expect(collect("-m=true", "-d=false", "--quiet=1")).toEndWith(" removed\n");
  expect(collect("-d=false")).not.toContain("would be removed");
  expect(run(file, ["garbage-collect", "--dry-run=perhaps"]).stderr).toContain("unknown option");
});

test("a configuration that is not there is named by every command in the same words", () => {
  const file = join(folder, "none.yml");
  const { stderr } = run(file);
  expect(stderr).toStartWith(`berth: the configuration ${file} cannot be read: ENOENT`);
  expect(run(file, ["config", "check"])).toEqual({ exitCode: 1, stderr, stdout: "" });
  expect(run(file, ["config", "show"])).toEqual({ exitCode: 1, stderr, stdout: "" });
});

function run(
  file: string,
  command: readonly string[] = ["serve"],
): { readonly exitCode: number; readonly stderr: string; readonly stdout: string } {
  const main = join(import.meta.dir, "..", "main.ts");
  // Variables of the machine must not be laid over these files.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("REGISTRY_")),
  );
  const result = Bun.spawnSync([process.execPath, main, ...command, file], {
    env,
  });
  return {
    exitCode: result.exitCode,
    stderr: result.stderr.toString(),
    stdout: result.stdout.toString(),
  };
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
