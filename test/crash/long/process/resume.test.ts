import { resume } from "../../resume.ts";
import { testRig } from "../../test-rig.ts";

await testRig(resume, "long");
