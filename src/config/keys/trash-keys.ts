import type { Key, Section } from "../key.ts";

export const trashSections = [
  { path: "trash", prose: "What was deleted and can be taken back. Berth's own." },
] as const satisfies readonly Section[];

export const trashKeys = [
  {
    path: "trash.retention",
    type: "duration",
    default: "168h",
    prose:
      "How long a deleted tag, manifest or repository can be taken back with `berth restore`, bytes included; collection waits that long. `0s`: a deletion is final, and what the trash holds already stays until its time.",
  },
] as const satisfies readonly Key[];
