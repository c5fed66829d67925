import { describe, test } from "bun:test";
import { localDrivers } from "../support/wire-rig.ts";
import { routingCases } from "./cases-a-routing.ts";
import { forwardingCases } from "./cases-b-forwarding.ts";
import { blobPullCases } from "./cases-c-blob-pull.ts";
import { mountCases } from "./cases-d-mount.ts";
import { uploadCases } from "./cases-d-upload.ts";
import { manifestCases } from "./cases-e-manifests.ts";
import { refusedManifestCases } from "./cases-e-refused-manifests.ts";
import { play } from "./wire-case.ts";

const cases = [...routingCases, ...forwardingCases, ...blobPullCases, ...uploadCases, ...mountCases, ...manifestCases, ...refusedManifestCases];

for (const driver of localDrivers) {
  describe(`the wire on the ${driver} driver`, () => {
    for (const wireCase of cases) {
      test(`${wireCase.number} ${wireCase.source} ${wireCase.name}`, () => play(wireCase, driver));
    }
  });
}
