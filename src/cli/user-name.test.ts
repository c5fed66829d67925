import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const module = join(import.meta.dir, "user-name.ts");
const script = `import { userName } from ${JSON.stringify(module)}; process.stdout.write(userName());`;

function nameWith(environment: Readonly<Record<string, string>>): string {
  return spawnSync(process.execPath, ["-e", script], { env: environment, encoding: "utf8" }).stdout;
}

test("who runs a command is whom the system knows, whatever USER says or leaves out", () => {
  const path = process.env["PATH"] ?? "";
  const name = spawnSync("id", ["-un"], { encoding: "utf8" }).stdout.trim();
  expect(name).not.toBe("");
  expect(nameWith({ PATH: path, USER: "somebody-else" })).toBe(name);
  expect(nameWith({ PATH: path })).toBe(name);
});

test("where nothing gives the number a name, as in an image without a shell, it is the number", () => {
  const number = String(process.getuid?.());
  expect(nameWith({ PATH: "/nowhere", USER: "somebody-else" })).toBe(`uid ${number}`);
});
