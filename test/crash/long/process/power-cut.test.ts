import { powerCut } from "../../power-cut.ts";
import { testRig } from "../../test-rig.ts";

await testRig(powerCut, "long");
