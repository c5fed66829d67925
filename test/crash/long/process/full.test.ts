import { full } from "../../full.ts";
import { testRig } from "../../test-rig.ts";

await testRig(full, "long");
