import { open, readFile, rename, rm } from "node:fs/promises";
import { codeOf } from "../base/errors.ts";
import type { Random } from "../base/random.ts";

/**
 * The text of a file; undefined when there is none.
 *
 * @throws {Error} that names the file, when it cannot be read.
 */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new Error(`cannot read ${path}`, { cause });
  }
}

/**
 * Writes beside, then renames: a registry that runs never reads half a file. `settle` is given the
 * new file before it gets its name, to set its mode and owner.
 */
export async function replaceText(
  path: string,
  content: { readonly text: string; readonly mode: number; readonly random: Random },
  settle: (beside: string) => Promise<void>,
): Promise<void> {
  const beside = `${path}.${content.random.uuid()}.tmp`;
  try {
    const file = await open(beside, "wx", content.mode);
    try {
      await file.writeFile(content.text);
      await file.sync();
    } finally {
      await file.close();
    }
    await settle(beside);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
}
