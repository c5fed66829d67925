import { cutConnections } from "./cut-connections.ts";
import { drain } from "./drain.ts";
import { full } from "./full.ts";
import { kill } from "./kill.ts";
import { liveCollection } from "./live-collection.ts";
import { powerCut } from "./power-cut.ts";
import { resume } from "./resume.ts";
import type { Rig } from "./rig.ts";
import { soak } from "./soak.ts";

/** Every rig, in the order of the report. */
export const rigs: readonly Rig[] = [
  kill,
  powerCut,
  full,
  resume,
  cutConnections,
  drain,
  liveCollection,
  soak,
];
