import { dirname, join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import type { DatabaseLocation } from "../database/database.ts";

/** Two databases: one that can be made again from the storage, and one that people back up. */
export function databaseLocations({ database }: Config): {
  readonly metadata: DatabaseLocation;
  readonly records: DatabaseLocation;
} {
  switch (database.kind) {
    case "memory": {
      const memory = { kind: "sqlite", path: ":memory:" } as const;
      return { metadata: memory, records: memory };
    }
    case "sqlite": {
      const path = resolve(database.metadataPath);
      const records = join(dirname(path), "berth.sqlite");
      return { metadata: { kind: "sqlite", path }, records: { kind: "sqlite", path: records } };
    }
    case "postgresql": {
      const { url } = database;
      return {
        metadata: { kind: "postgres", url, schema: "metadata" },
        records: { kind: "postgres", url, schema: "berth" },
      };
    }
  }
}
