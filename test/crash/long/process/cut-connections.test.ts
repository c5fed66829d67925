import { cutConnections } from "../../cut-connections.ts";
import { testRig } from "../../test-rig.ts";

await testRig(cutConnections, "long");
