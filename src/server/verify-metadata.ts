import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { verifyMetadata } from "../registry/verification.ts";
import { commandLogger } from "./command-logger.ts";
import { openConfiguredRegistry } from "./open-registry.ts";
import { requireRegistry } from "./run-command.ts";

/** `berth metadata verify`: prints each difference and returns how many there are. */
export async function countMetadataDifferences(
  config: Config,
  print: (line: string) => void,
): Promise<number> {
  requireRegistry(config);
  const logger = commandLogger("warn");
  try {
    const parts = { clock: systemClock, random: systemRandom, logger };
    const opened = await openConfiguredRegistry(config, parts);
    try {
      let count = 0;
      for await (const found of verifyMetadata(opened, opened.registry.adoption)) {
        count += 1;
        print(`${found.repository}: ${found.difference}`);
      }
      return count;
    } finally {
      await opened.close();
    }
  } finally {
    logger.flush();
  }
}
