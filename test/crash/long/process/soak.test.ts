import { soak } from "../../soak.ts";
import { testRig } from "../../test-rig.ts";

await testRig(soak, "long");
