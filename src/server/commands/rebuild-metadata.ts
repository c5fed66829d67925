import type { CommandParts, ExitCode } from "./command.ts";
import { countText } from "./text.ts";

/** How long it may go on without a sign of life. */
const progressIntervalMs = 5_000;

/**
 * `berth metadata rebuild [config.yml]`: makes the metadata again from the layout. In the server that
 * has the registry open: it keeps in memory which repositories wait for bytes that are gone.
 */
export async function rebuildMetadata(parts: CommandParts): Promise<ExitCode> {
  const { opened, clock, signal, print, isServing, adopted } = parts;
  // A server's own comparison ends first; here it would only be the same work twice.
  if (isServing) await adopted();
  let count = 0;
  let saidMs = clock.monotonicMs();
  const onRepository = (): void => {
    count += 1;
    if (clock.monotonicMs() - saidMs < progressIntervalMs) return;
    saidMs = clock.monotonicMs();
    print(`${countText(count, "repository")} read again so far`);
  };
  const isWhole = await opened.registry.adoption.rebuild(signal, onRepository);
  if (!isWhole) {
    print(`interrupted after ${countText(count, "repository")}; the others are as they were`);
    return 1;
  }
  print(`${countText(count, "repository")} read again: the metadata agrees with the storage`);
  return 0;
}
