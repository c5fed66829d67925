import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { setDamagedAside } from "../database/damaged-file.ts";
import { databaseLocations } from "./database-locations.ts";

/**
 * Makes room for new metadata where the last process found them damaged: they are derived, and
 * are made again from the storage. For a process that has the registry to itself.
 */
export function setDamagedMetadataAside(config: Config, logger: Logger): void {
  const { metadata } = databaseLocations(config);
  if (metadata.kind !== "sqlite") return;
  const aside = setDamagedAside(metadata.path);
  if (aside === undefined) return;
  logger.warn("the metadata database was damaged and is made anew from the storage", { aside });
}
