import type { CommandParts, ExitCode } from "./command.ts";
import { whenAdopted, withProgress } from "./progress.ts";
import { countText } from "./text.ts";

/**
 * `berth metadata rebuild [config.yml]`: makes the metadata again from the layout. In the server that
 * has the registry open: it keeps in memory which repositories wait for bytes that are gone.
 */
export async function rebuildMetadata(parts: CommandParts): Promise<ExitCode> {
  const { opened, signal, print, isServing } = parts;
  // A server's own comparison ends first; here it would only be the same work twice.
  if (isServing) await whenAdopted(parts);
  let count = 0;
  const onRepository = (): void => {
    count += 1;
  };
  const isWhole = await withProgress(opened.registry.adoption.rebuild(signal, onRepository), {
    print,
    text: () => `${countText(count, "repository")} read again so far`,
  });
  if (!isWhole) {
    print(`interrupted after ${countText(count, "repository")}; the others are as they were`);
    return 1;
  }
  print(`${countText(count, "repository")} read again: the metadata agrees with the storage`);
  return 0;
}
