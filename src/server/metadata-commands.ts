import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { verifyMetadata } from "../registry/verification.ts";
import { commandLogger } from "./command-logger.ts";
import { type OpenRegistry, openConfiguredRegistry } from "./open-registry.ts";
import { requireRegistry } from "./run-command.ts";

/** `berth metadata rebuild`: makes the metadata again from the layout; the server may run. */
export async function rebuildMetadata(config: Config, signal: AbortSignal): Promise<void> {
  await withRegistry(config, "info", ({ registry }) => registry.adoption.rebuild(signal));
}

/** `berth metadata verify`: prints each difference and returns how many there are. */
export async function countMetadataDifferences(
  config: Config,
  print: (line: string) => void,
): Promise<number> {
  return withRegistry(config, "warn", async (opened) => {
    let count = 0;
    for await (const found of verifyMetadata(opened, opened.registry.adoption)) {
      count += 1;
      print(`${found.repository}: ${found.difference}`);
    }
    return count;
  });
}

async function withRegistry<T>(
  config: Config,
  level: "info" | "warn",
  work: (opened: OpenRegistry) => Promise<T>,
): Promise<T> {
  requireRegistry(config);
  const logger = commandLogger(level);
  try {
    const parts = { clock: systemClock, random: systemRandom, logger };
    const opened = await openConfiguredRegistry(config, parts);
    try {
      return await work(opened);
    } finally {
      await opened.close();
    }
  } finally {
    logger.flush();
  }
}
