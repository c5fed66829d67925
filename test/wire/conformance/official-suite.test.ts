/**
 * The official conformance suite (distribution-spec, `conformance/`, its newest form), step by
 * step in our own words, so that `npm test` knows before the real one runs. Nothing that the
 * suite would count as skipped passes here.
 */
import { describe, expect, test } from "bun:test";
import { digestOf } from "../../../src/oci/digest.ts";
import { localDrivers, withWireRig } from "../../support/wire-rig.ts";
import { conformanceDataSets, type DataSet, sparseDataSet, uniqueBytes } from "./data-sets.ts";
import { locationOf, outOfOrderMethods, pushMethods, SuiteClient } from "./suite-client.ts";

const [repository, second] = ["conformance/repo1", "conformance/repo2"] as const;

/** Each way of pushing has its turn. */
let turns = 0;
function nextMethod(): (typeof pushMethods)[number] {
  turns += 1;
  return pushMethods[turns % pushMethods.length] ?? "post+put";
}

async function push(client: SuiteClient, set: DataSet): Promise<void> {
  for (const [digest, bytes] of set.blobs) await client.pushBlob(digest, bytes, nextMethod());
  for (const manifest of set.manifests) {
    const own = [...set.tags].filter(([, digest]) => digest === manifest.digest);
    const tags = set.hasTagParams ? own.map(([tag]) => tag) : [];
    await client.pushManifest(manifest, manifest.digest, tags);
  }
  if (set.hasTagParams) return;
  for (const [tag, digest] of set.tags) {
    const manifest = set.manifests.find((one) => one.digest === digest);
    if (manifest !== undefined) await client.pushManifest(manifest, tag);
  }
}

async function list(client: SuiteClient, set: DataSet): Promise<void> {
  const tags = await client.tags();
  for (const tag of set.tags.keys()) expect(tags).toContain(tag);
  if (tags.length < 2) return;
  const sorted = tags.toSorted();
  const middle = Math.floor(sorted.length / 2);
  expect(await client.tags(`?last=${sorted[middle - 1]}`)).toEqual(sorted.slice(middle));
}

async function pull(client: SuiteClient, set: DataSet): Promise<void> {
  const byDigest = new Map(set.manifests.map((manifest) => [manifest.digest, manifest]));
  const references = [...set.tags, ...set.manifests.map(({ digest }) => [digest, digest] as const)];
  for (const [reference, digest] of references) {
    const manifest = byDigest.get(digest);
    if (manifest === undefined || manifest.isCorrupted) continue;
    await client.headManifest(manifest, reference);
    await client.pullManifest(manifest, reference);
  }
  for (const [digest, bytes] of set.blobs) {
    await client.headBlob(digest, bytes);
    await client.pullBlob(digest, bytes);
  }
}

async function refer(client: SuiteClient, set: DataSet): Promise<void> {
  const subjects = new Set(set.referrers.map(({ subject }) => subject));
  for (const subject of subjects) {
    const expected = set.referrers.filter((referrer) => referrer.subject === subject);
    const types = new Set(expected.map(({ artifactType }) => artifactType));
    for (const type of [undefined, ...types]) {
      const found = await client.referrers(subject, type);
      const wanted = expected.filter((one) => type === undefined || one.artifactType === type);
      expect(found).toHaveLength(wanted.length);
      for (const { subject: _, annotations, ...descriptor } of wanted) {
        const entry = found.find(({ digest }) => digest === descriptor.digest);
        expect(entry).toMatchObject(descriptor);
        expect(entry?.["annotations"] ?? {}).toMatchObject(annotations);
      }
    }
  }
}

async function remove(client: SuiteClient, set: DataSet): Promise<void> {
  const manifests = set.manifests.filter(({ isCorrupted }) => !isCorrupted);
  for (const tag of set.tags.keys()) await client.deleteManifest(tag);
  for (const { digest } of manifests.toReversed()) await client.deleteManifest(digest);
  for (const digest of set.blobs.keys()) await client.deleteBlob(digest);
}

async function playDataSet(client: SuiteClient, set: DataSet): Promise<void> {
  await push(client, set);
  if (set.tags.size > 0) await list(client, set);
  await pull(client, set);
  await refer(client, set);
  await remove(client, set);
}

for (const driver of localDrivers) {
  describe(`conformance on the ${driver} driver`, () => {
    const run = (
      work: (client: SuiteClient, other: SuiteClient) => Promise<void>,
      settings = {},
    ): Promise<void> =>
      withWireRig({ driver, settings }, async (rig) => {
        const origin = `http://127.0.0.1:${rig.port}`;
        await work(new SuiteClient(origin, repository), new SuiteClient(origin, second));
        expect(rig.errors).toEqual([]);
      });

    test("ping, then listings of a repository that is not there", () =>
      run(async (client) => {
        await client.request("/v2/", { method: "GET", expected: 200 });
        await client.request(`/v2/${repository}/tags/list`, { method: "GET", expected: 404 });
        expect(await client.referrers(digestOf("random"))).toEqual([]);
      }));

    for (const algorithm of ["sha256", "sha512"] as const) {
      test(`${algorithm} blobs in every way of pushing`, () =>
        run(async (client) => {
          const missing = digestOf(uniqueBytes(512), algorithm);
          await client.request(`/v2/${repository}/blobs/${missing}`, {
            method: "GET",
            expected: 404,
          });
          for (const method of [...pushMethods, ...outOfOrderMethods]) {
            const bytes = uniqueBytes(3 * 1024 - 5);
            const digest = digestOf(bytes, algorithm);
            await client.pushBlob(digest, bytes, method);
            await client.headBlob(digest, bytes);
            await client.pullBlob(digest, bytes);
            await client.deleteBlob(digest);
          }
        }));

      test(`${algorithm} blobs mounted, with and without the source, and from where they are not`, () =>
        run(async (client, other) => {
          for (const from of [second, undefined]) {
            const bytes = uniqueBytes(512);
            const digest = digestOf(bytes, algorithm);
            await other.pushBlob(digest, bytes, nextMethod());
            const mounted = await client.mount(digest, from, 201);
            expect(mounted.headers.get("docker-content-digest")).toBe(digest);
            expect(mounted.headers.get("location")).toBe(`/v2/${repository}/blobs/${digest}`);
            await client.headBlob(digest, bytes);
            await client.pullBlob(digest, bytes);
            await client.deleteBlob(digest);
            await other.deleteBlob(digest);
          }
          const bytes = uniqueBytes(512);
          const digest = digestOf(bytes, algorithm);
          const begun = await client.mount(digest, second, 202);
          await client.request(`${locationOf(begun)}?digest=${digest}`, {
            method: "PUT",
            body: bytes,
            expected: 201,
          });
          await client.pullBlob(digest, bytes);
        }));

      test(`an upload of a ${algorithm} blob is cancelled`, () =>
        run(async (client) => {
          await client.request(await client.begin(), { method: "DELETE", expected: 204 });
        }));

      test(`ranges of a ${algorithm} blob`, () =>
        run(async (client) => {
          const bytes = uniqueBytes(2048);
          const digest = digestOf(bytes, algorithm);
          await client.pushBlob(digest, bytes, nextMethod());
          for (const [range, start, end] of [
            ["500-1499", 500, 1500],
            ["500-", 500, 2048],
            ["-500", 1548, 2048],
            ["2000-5000", 2000, 2048],
          ] as const) {
            const part = await client.request(`/v2/${repository}/blobs/${digest}`, {
              method: "GET",
              headers: { Range: `bytes=${range}` },
              expected: 206,
            });
            expect(part.headers.get("content-length")).toBe(String(end - start));
            expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/2048`);
            expect(Buffer.from(await part.bytes()).equals(bytes.subarray(start, end))).toBe(true);
          }
          for (const range of ["500-0", "5000-10000"]) {
            await client.request(`/v2/${repository}/blobs/${digest}`, {
              method: "GET",
              headers: { Range: `bytes=${range}` },
              expected: 416,
            });
          }
        }));

      test(`well known ${algorithm} blobs: nothing, and an empty object`, () =>
        run(async (client) => {
          for (const text of ["", "{}"]) {
            for (const method of pushMethods) {
              const bytes = new TextEncoder().encode(text);
              const digest = digestOf(bytes, algorithm);
              await client.pushBlob(digest, bytes, method);
              await client.headBlob(digest, bytes);
              await client.pullBlob(digest, bytes);
              await client.deleteBlob(digest);
            }
          }
        }));

      test(`${algorithm} blobs with the digest of others are refused in every way of pushing`, () =>
        run(async (client) => {
          for (const method of pushMethods) {
            const bytes = uniqueBytes(3 * 1024 - 5);
            const digest = digestOf(bytes, algorithm);
            const changed = Buffer.concat([bytes, Buffer.from("oh no")]);
            await client.sendBlob(digest, changed, { method, expected: 400 });
            await client.request(`/v2/${repository}/blobs/${digest}`, {
              method: "HEAD",
              expected: 404,
            });
          }
        }));
    }

    for (const set of conformanceDataSets()) {
      test(`the data set ${set.name}`, () => run((client) => playDataSet(client, set)));
    }

    test("the data set sparse, where validation is off", () =>
      run((client) => playDataSet(client, sparseDataSet()), { VALIDATION_DISABLED: "true" }));

    test("the data set sparse, refused where it is on", () =>
      run(async (client) => {
        const outcome = await playDataSet(client, sparseDataSet()).catch(String);
        expect(outcome).toContain("MANIFEST_BLOB_UNKNOWN");
      }));

    test("manifests that are missing, or whose digest is malformed", () =>
      run(async (client) => {
        const path = `/v2/${repository}/manifests`;
        for (const reference of [digestOf(uniqueBytes(1024)), "missing-tag"]) {
          await client.request(`${path}/${reference}`, { method: "GET", expected: 404 });
        }
        const [set] = conformanceDataSets();
        for (const [digest, bytes] of set?.blobs ?? []) {
          await client.pushBlob(digest, bytes, nextMethod());
        }
        const manifest = set?.manifests[0];
        await client.request(`${path}/sha256:baddigeststring`, {
          method: "PUT",
          headers: { "Content-Type": manifest?.mediaType ?? "" },
          body: manifest?.bytes ?? null,
          expected: 400,
        });
        await client.request(`${path}/sha256:baddigeststring`, { method: "GET", expected: 400 });
      }));
  });
}
