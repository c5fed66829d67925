/**
 * The steps of the official conformance suite, in its order and our own words. Nothing that the
 * suite would count as skipped passes here.
 */
import { expect } from "bun:test";
import { type DigestAlgorithm, digestOf } from "../../../src/oci/digest.ts";
import { conformanceDataSets, type DataSet, uniqueBytes } from "./data-sets.ts";
import {
  digestQuery,
  locationOf,
  outOfOrderMethods,
  pushMethods,
  type SuiteClient,
} from "./suite-client.ts";

/** The sizes that the suite sends: one chunk, and three. */
const sizesBytes = [512, 3 * 1024 - 5];

/** Each way of pushing has its turn. */
let turns = 0;
function nextMethod(): (typeof pushMethods)[number] {
  turns += 1;
  return pushMethods[turns % pushMethods.length] ?? "post+put";
}

/** The clients of the two repositories that the suite is given. */
export interface Players {
  readonly client: SuiteClient;
  readonly other: SuiteClient;
  /** The name of the repository of `other`. */
  readonly source: string;
}

export async function playEmptyRepository(client: SuiteClient): Promise<void> {
  await client.request("/v2/", { method: "GET", expected: 200 });
  await client.request(client.path("tags/list"), { method: "GET", expected: 404 });
  expect(await client.referrers(digestOf("random"))).toEqual([]);
}

// -- blobs

export async function playWaysOfPushing(
  client: SuiteClient,
  algorithm: DigestAlgorithm,
): Promise<void> {
  const missing = digestOf(uniqueBytes(512), algorithm);
  await client.request(client.path(`blobs/${missing}`), { method: "GET", expected: 404 });
  for (const sizeBytes of sizesBytes) {
    for (const method of [...pushMethods, ...outOfOrderMethods]) {
      const bytes = uniqueBytes(sizeBytes);
      // A single chunk has none that it could be sent before.
      if (sizeBytes < 1024 && method.includes("out of order")) continue;
      await playBlob(client, { bytes, digest: digestOf(bytes, algorithm) }, method);
    }
  }
}

interface Blob {
  readonly bytes: Uint8Array;
  readonly digest: string;
}

async function playBlob(
  client: SuiteClient,
  { bytes, digest }: Blob,
  method: Parameters<SuiteClient["sendBlob"]>[2]["method"],
): Promise<void> {
  await client.pushBlob(digest, bytes, method);
  await client.headBlob(digest, bytes);
  await client.pullBlob(digest, bytes);
  await client.deleteBlob(digest);
}

export async function playMounts(
  { client, other, source }: Players,
  algorithm: DigestAlgorithm,
): Promise<void> {
  for (const from of [source, undefined]) {
    const bytes = uniqueBytes(512);
    const digest = digestOf(bytes, algorithm);
    await other.pushBlob(digest, bytes, nextMethod());
    const mounted = await client.mount(digest, from, 201);
    expect(mounted.headers.get("docker-content-digest")).toBe(digest);
    expect(locationOf(mounted)).toBe(client.path(`blobs/${digest}`));
    await client.headBlob(digest, bytes);
    await client.pullBlob(digest, bytes);
    await client.deleteBlob(digest);
    await other.deleteBlob(digest);
  }
  const bytes = uniqueBytes(512);
  const digest = digestOf(bytes, algorithm);
  const begun = await client.mount(digest, source, 202);
  const pushed = await client.request(`${locationOf(begun)}${digestQuery(digest)}`, {
    method: "PUT",
    body: bytes,
    expected: 201,
  });
  expect(pushed.headers.get("docker-content-digest")).toBe(digest);
  expect(locationOf(pushed)).toBe(client.path(`blobs/${digest}`));
  await client.headBlob(digest, bytes);
  await client.pullBlob(digest, bytes);
  await client.deleteBlob(digest);
}

export async function playCancel(client: SuiteClient, algorithm: DigestAlgorithm): Promise<void> {
  await client.request(await client.begin(), { method: "DELETE", expected: 204 });
  // The suite tidies up what it never sent.
  const missing = client.path(`blobs/${digestOf(uniqueBytes(512), algorithm)}`);
  await client.request(missing, { method: "DELETE", expected: 404 });
  await client.request(missing, { method: "HEAD", expected: 404 });
}

export async function playRanges(client: SuiteClient, algorithm: DigestAlgorithm): Promise<void> {
  const bytes = uniqueBytes(2048);
  const digest = digestOf(bytes, algorithm);
  const path = client.path(`blobs/${digest}`);
  await client.pushBlob(digest, bytes, nextMethod());
  for (const [range, start, end] of [
    ["500-1499", 500, 1500],
    ["500-", 500, 2048],
    ["-500", 1548, 2048],
    ["2000-5000", 2000, 2048],
  ] as const) {
    const headers = { Range: `bytes=${range}` };
    const part = await client.request(path, { method: "GET", headers, expected: 206 });
    expect(part.headers.get("content-length")).toBe(String(end - start));
    expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/2048`);
    expect(Buffer.from(await part.bytes()).equals(bytes.subarray(start, end))).toBe(true);
  }
  for (const range of ["500-0", "5000-10000"]) {
    const headers = { Range: `bytes=${range}` };
    await client.request(path, { method: "GET", headers, expected: 416 });
  }
  await client.deleteBlob(digest);
}

/** Nothing, and an empty object. */
export async function playWellKnownBlobs(
  client: SuiteClient,
  algorithm: DigestAlgorithm,
): Promise<void> {
  for (const text of ["", "{}"]) {
    for (const method of pushMethods) {
      const bytes = new TextEncoder().encode(text);
      await playBlob(client, { bytes, digest: digestOf(bytes, algorithm) }, method);
    }
  }
}

export async function playWrongDigests(
  client: SuiteClient,
  algorithm: DigestAlgorithm,
): Promise<void> {
  for (const method of pushMethods) {
    const bytes = uniqueBytes(3 * 1024 - 5);
    const digest = digestOf(bytes, algorithm);
    const changed = Buffer.concat([bytes, Buffer.from("oh no")]);
    await client.sendBlob(digest, changed, { method, expected: 400 });
    await client.request(client.path(`blobs/${digest}`), { method: "HEAD", expected: 404 });
  }
}

// -- data sets

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
  for (const tag of set.tags.keys()) await client.deleteManifest(tag);
  for (const { digest, isCorrupted } of set.manifests.toReversed()) {
    await client.deleteManifest(digest, isCorrupted ? 404 : 202);
  }
  for (const digest of set.blobs.keys()) await client.deleteBlob(digest);
}

export async function playDataSet(client: SuiteClient, set: DataSet): Promise<void> {
  await push(client, set);
  // A repository in which nothing was ever tagged may have no list.
  if (set.tags.size > 0) await list(client, set);
  await pull(client, set);
  await refer(client, set);
  await remove(client, set);
}

/** Manifests that are missing, or whose digest is malformed. */
export async function playManifestErrors(client: SuiteClient): Promise<void> {
  for (const reference of [digestOf(uniqueBytes(1024)), "missing-tag"]) {
    const path = client.path(`manifests/${reference}`);
    await client.request(path, { method: "GET", expected: 404 });
  }
  const [set] = conformanceDataSets();
  for (const [digest, bytes] of set?.blobs ?? []) {
    await client.pushBlob(digest, bytes, nextMethod());
  }
  const manifest = set?.manifests[0];
  const malformed = client.path("manifests/sha256:baddigeststring");
  await client.request(malformed, {
    method: "PUT",
    headers: { "Content-Type": manifest?.mediaType ?? "" },
    body: manifest?.bytes ?? new Uint8Array(),
    isLengthUnknown: true,
    expected: 400,
  });
  await client.request(malformed, { method: "GET", expected: 400 });
  await client.deleteManifest(manifest?.digest ?? "", 404);
  for (const digest of set?.blobs.keys() ?? []) await client.deleteBlob(digest);
}

/** Everything that passes with the default configuration, in the suite's order. */
export async function playAll(players: Players): Promise<void> {
  const { client } = players;
  await playEmptyRepository(client);
  for (const algorithm of ["sha256", "sha512"] as const) {
    await playWaysOfPushing(client, algorithm);
    await playMounts(players, algorithm);
    await playCancel(client, algorithm);
    await playRanges(client, algorithm);
    await playWellKnownBlobs(client, algorithm);
    await playWrongDigests(client, algorithm);
  }
  for (const set of conformanceDataSets()) await playDataSet(client, set);
  await playManifestErrors(client);
}
