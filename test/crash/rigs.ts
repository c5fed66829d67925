import { bitRot } from "./bit-rot.ts";
import { cutConnections } from "./cut-connections.ts";
import { digOut } from "./dig-out.ts";
import { drain } from "./drain.ts";
import { failingOperations } from "./failing-operations.ts";
import { full } from "./full.ts";
import { kill } from "./kill.ts";
import { liveCollection } from "./live-collection.ts";
import { lostWrites } from "./lost-writes.ts";
import { meetings } from "./meetings.ts";
import { powerCut } from "./power-cut.ts";
import { resume } from "./resume.ts";
import type { Rig } from "./rig.ts";
import { soak } from "./soak.ts";
import { steppingClock } from "./stepping-clock.ts";

/** Every rig, in the order of the report. */
export const rigs: readonly Rig[] = [
  kill,
  powerCut,
  lostWrites,
  full,
  digOut,
  failingOperations,
  cutConnections,
  resume,
  drain,
  liveCollection,
  meetings,
  bitRot,
  steppingClock,
  soak,
];
