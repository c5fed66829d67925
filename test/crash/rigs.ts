import { failingOperations } from "./failing-operations.ts";
import { lostWrites } from "./lost-writes.ts";
import { meetings } from "./meetings.ts";
import type { Rig } from "./rig.ts";
import { steppingClock } from "./stepping-clock.ts";

/** Every rig, in the order of the report. */
export const rigs: readonly Rig[] = [lostWrites, failingOperations, meetings, steppingClock];
