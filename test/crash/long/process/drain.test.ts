import { drain } from "../../drain.ts";
import { testRig } from "../../test-rig.ts";

await testRig(drain, "long");
