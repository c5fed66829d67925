import { kill } from "../../kill.ts";
import { testRig } from "../../test-rig.ts";

await testRig(kill, "long");
