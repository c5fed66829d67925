/**
 * The official conformance suite (distribution-spec, `conformance/`, its newest form), step by
 * step in our own words, so that `npm test` knows before the real one runs.
 */
import { describe, expect, test } from "bun:test";
import { localDrivers, withWireRig } from "../../support/wire-rig.ts";
import { conformanceDataSets, sparseDataSet } from "./data-sets.ts";
import { SuiteClient } from "./suite-client.ts";
import {
  playAll,
  playCancel,
  playDataSet,
  playEmptyRepository,
  playManifestErrors,
  playMounts,
  playRanges,
  playWaysOfPushing,
  playWellKnownBlobs,
  playWrongDigests,
} from "./suite-steps.ts";

const [repository, second] = ["conformance/repo1", "conformance/repo2"] as const;

for (const driver of localDrivers) {
  describe(`conformance on the ${driver} driver`, () => {
    const run = (
      work: (client: SuiteClient, other: SuiteClient) => Promise<void>,
      settings = {},
    ): Promise<void> =>
      withWireRig({ driver, settings }, async (rig) => {
        const origin = `http://127.0.0.1:${rig.port}`;
        const client = new SuiteClient(origin, repository);
        const other = new SuiteClient(origin, second);
        try {
          await work(client, other);
        } finally {
          client.close();
          other.close();
        }
        expect(rig.errors).toEqual([]);
      });

    test("ping, then listings of a repository that is not there", () => run(playEmptyRepository));

    for (const algorithm of ["sha256", "sha512"] as const) {
      test(`${algorithm} blobs in every way of pushing`, () =>
        run((client) => playWaysOfPushing(client, algorithm)));

      test(`${algorithm} blobs mounted, with and without the source, and from where they are not`, () =>
        run((client, other) => playMounts({ client, other, source: second }, algorithm)));

      test(`an upload of a ${algorithm} blob is cancelled`, () =>
        run((client) => playCancel(client, algorithm)));

      test(`ranges of a ${algorithm} blob`, () => run((client) => playRanges(client, algorithm)));

      test(`well known ${algorithm} blobs: nothing, and an empty object`, () =>
        run((client) => playWellKnownBlobs(client, algorithm)));

      test(`${algorithm} blobs with the digest of others are refused in every way of pushing`, () =>
        run((client) => playWrongDigests(client, algorithm)));
    }

    for (const set of conformanceDataSets()) {
      test(`the data set ${set.name}`, () => run((client) => playDataSet(client, set)));
    }

    test("all of it in one repository, one after the other", () =>
      run((client, other) => playAll({ client, other, source: second })));

    test("the data set sparse, where validation is off", () =>
      run((client) => playDataSet(client, sparseDataSet()), { VALIDATION_DISABLED: "true" }));

    test("the data set sparse, refused where it is on", () =>
      run(async (client) => {
        const outcome = await playDataSet(client, sparseDataSet()).catch(String);
        expect(outcome).toContain("MANIFEST_BLOB_UNKNOWN");
      }));

    test("manifests that are missing, or whose digest is malformed", () => run(playManifestErrors));
  });
}
