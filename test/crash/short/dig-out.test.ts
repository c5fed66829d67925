import { digOut } from "../dig-out.ts";
import { testRig } from "../test-rig.ts";

await testRig(digOut, "short");
