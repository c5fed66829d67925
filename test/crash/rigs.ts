import { bitRot } from "./bit-rot.ts";
import type { Rig } from "./rig.ts";

/** Every rig, in the order of the report. */
export const rigs: readonly Rig[] = [bitRot];
