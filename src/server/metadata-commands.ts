import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { verifyMetadata } from "../registry/verification.ts";
import { commandLogger } from "./command-logger.ts";
import { setDamagedMetadataAside } from "./damaged-metadata.ts";
import { openConfiguredRegistry } from "./open-registry.ts";
import { isServed, requireRegistry } from "./run-command.ts";

/** `berth metadata rebuild`: makes the metadata again from the layout; the server may run. */
export async function rebuildMetadata(config: Config, signal: AbortSignal): Promise<void> {
  requireRegistry(config);
  const logger = commandLogger("info");
  const { driver } = config.storage;
  const isAlone = driver.kind !== "filesystem" || !(await isServed(resolve(driver.rootDirectory)));
  if (isAlone) setDamagedMetadataAside(config, logger);
  const opened = await openConfiguredRegistry(config, {
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  try {
    await opened.registry.adoption.rebuild(signal);
  } finally {
    await opened.close();
    logger.flush();
  }
}

/** `berth metadata verify`: prints each difference and returns how many there are. */
export async function countMetadataDifferences(
  config: Config,
  print: (line: string) => void,
): Promise<number> {
  requireRegistry(config);
  const logger = commandLogger("warn");
  const opened = await openConfiguredRegistry(config, {
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  let count = 0;
  try {
    for await (const found of verifyMetadata(opened, opened.registry.adoption)) {
      count += 1;
      print(`${found.repository}: ${found.difference}`);
    }
  } finally {
    await opened.close();
    logger.flush();
  }
  return count;
}
