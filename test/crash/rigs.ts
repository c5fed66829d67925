import { lostWrites } from "./lost-writes.ts";
import { meetings } from "./meetings.ts";
import type { Rig } from "./rig.ts";

/** Every rig, in the order of the report. */
export const rigs: readonly Rig[] = [lostWrites, meetings];
