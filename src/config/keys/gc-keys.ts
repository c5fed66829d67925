import type { Key, Section } from "../key.ts";

export const gcSections = [
  {
    path: "gc",
    prose:
      "Live garbage collection: removes blobs that no manifest needs, while the registry serves. Berth's own.",
  },
] as const satisfies readonly Section[];

export const gcKeys = [
  {
    path: "gc.enabled",
    type: "bool",
    default: "true",
    prose: "Whether the running registry collects by itself. `berth gc run` works either way.",
  },
  {
    path: "gc.interval",
    type: "duration",
    default: "10m",
    min: 1_000,
    prose: "The time from the end of one round to the beginning of the next.",
  },
  {
    path: "gc.grace",
    type: "duration",
    default: "24h",
    min: 3_600_000,
    prose:
      "How long a blob that nothing needs is kept after a client was last told that it exists: a push that is under way may build on it.",
  },
  {
    path: "gc.trashgrace",
    type: "duration",
    default: "24h",
    min: 3_600_000,
    prose:
      "How long it then stays in the trash, from where it comes back at once when somebody asks for it.",
  },
  {
    path: "gc.rate",
    type: "int",
    default: "100",
    min: 1,
    max: 100_000,
    prose: "How many blobs a second a round looks at and removes at most, beside the requests.",
  },
] as const satisfies readonly Key[];
