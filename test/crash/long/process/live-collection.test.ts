import { liveCollection } from "../../live-collection.ts";
import { testRig } from "../../test-rig.ts";

await testRig(liveCollection, "long");
