import { lstatSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeFoldersForOwner } from "../base/folder-owner.ts";

/** Folders above the data, from the top: the first on another file system is the volume. */
const foldersAboveData = ["docker", "docker/registry", "docker/registry/v2"];

/**
 * Puts Berth's own folder where the data is, when a volume is mounted below `rootFolder`, as many
 * do who keep nothing but `docker/registry/v2`. Files are renamed from there into the data, which
 * goes within one file system only; and nothing else outlives the container.
 *
 *     <root>/berth → docker/registry/v2/berth
 *
 * Distribution passes over a folder of that name there. Returns, as a sentence, why pushes will
 * fail all the same; undefined when they will not.
 */
export function followVolume(
  rootFolder: string,
  deviceOf: (path: string) => number | undefined = device,
): string | undefined {
  const root = deviceOf(rootFolder);
  const volume = foldersAboveData.find((folder) => {
    const own = deviceOf(join(rootFolder, folder));
    return root !== undefined && own !== undefined && own !== root;
  });
  if (volume === undefined) return undefined;
  const [link, target] = [join(rootFolder, "berth"), join(rootFolder, volume, "berth")];
  const there = deviceOf(link);
  if (there === undefined && lstatSync(link, { throwIfNoEntry: false }) === undefined) {
    try {
      makeFoldersForOwner(target);
      symlinkSync(join(volume, "berth"), link);
      return undefined;
    } catch (error) {
      return `${link} cannot be made a link to ${target}: ${String(error)}`;
    }
  }
  if (lstatSync(link).isSymbolicLink() || there !== root) return undefined;
  return (
    `${join(rootFolder, volume)} is another file system than ${link}, and files are renamed from ` +
    `the one to the other; stop the registry, and move ${link} to ${target}`
  );
}

/** Undefined for what is not there, or cannot be reached. */
function device(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.dev;
  } catch {
    return undefined;
  }
}
