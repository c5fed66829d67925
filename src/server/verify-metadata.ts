import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { verifyMetadata } from "../registry/verification.ts";
import { commandLogger } from "./command-logger.ts";
import { withProgress } from "./commands/progress.ts";
import { countText } from "./commands/text.ts";
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
      let looked = 0;
      const onRepository = (): void => {
        looked += 1;
      };
      const text = (): string => `${countText(looked, "repository")} compared so far`;
      const differences = verifyMetadata(opened, opened.registry.adoption, onRepository);
      return await withProgress(printAll(differences, print), { print, text });
    } finally {
      await opened.close();
    }
  } finally {
    logger.flush();
  }
}

async function printAll(
  differences: ReturnType<typeof verifyMetadata>,
  print: (line: string) => void,
): Promise<number> {
  let count = 0;
  for await (const { repository, difference } of differences) {
    count += 1;
    print(`${repository}: ${difference}`);
  }
  return count;
}
