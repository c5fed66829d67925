/**
 * Manifests of every shape that the image and distribution specifications know (v1.1 and their
 * main branch), with the answers that the conformance runner accepts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Algorithm,
  DistributionClient,
  digestOf,
  location,
} from "../support/distribution-client.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const image = "application/vnd.oci.image.manifest.v1+json";
const index = "application/vnd.oci.image.index.v1+json";
const configType = "application/vnd.oci.image.config.v1+json";
const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
const artifactType = "application/vnd.example.artifact";
const repository = "conformance/manifests";
const encoder = new TextEncoder();

let server: RegistryServer;
let client: DistributionClient;
beforeAll(async () => {
  server = await startRegistry();
  client = new DistributionClient(server.origin);
});
afterAll(async () => server?.stop());

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [member: string]: unknown;
}

interface Pushed extends Descriptor {
  readonly bytes: Uint8Array;
}

let count = 0;

/** Pushes a blob that no other test has and describes it. */
async function blob(mediaType: string, text?: string): Promise<Descriptor> {
  count += 1;
  const bytes = encoder.encode(text ?? `{"blob":${count}}`);
  return { mediaType, digest: await client.push(repository, bytes, "sha256"), size: bytes.length };
}

/** A descriptor of what is nowhere. */
function nowhere(mediaType: string): Descriptor {
  count += 1;
  return { mediaType, digest: digestOf(encoder.encode(`nowhere ${count}`)), size: 10 };
}

async function imageContent(more: object = {}): Promise<object> {
  return {
    schemaVersion: 2,
    mediaType: image,
    config: await blob(configType),
    layers: [await blob(layerType), await blob(layerType)],
    ...more,
  };
}

function indexContent(manifests: readonly Pushed[], more: object = {}): object {
  return { schemaVersion: 2, mediaType: index, manifests: manifests.map(described), ...more };
}

function described({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** Pushes a manifest by its digest and checks that it is there, byte for byte. */
async function put(content: object, algorithm: Algorithm = "sha256"): Promise<Pushed> {
  const { mediaType, subject } = content as { mediaType: string; subject?: Descriptor };
  // Odd white space: nothing may write the manifest anew.
  const bytes = encoder.encode(`${JSON.stringify(content, null, 3)}\n `);
  const digest = digestOf(bytes, algorithm);
  const path = `/v2/${repository}/manifests/${digest}`;
  const headers = { "content-type": mediaType };
  const pushed = await client.send(201, path, { method: "PUT", headers, body: bytes });
  expect(pushed.headers.get("docker-content-digest")).toBe(digest);
  expect(pushed.headers.get("oci-subject")).toBe(subject?.digest ?? null);
  const manifest = { mediaType, digest, size: bytes.length, bytes };
  await expectServed(location(pushed), manifest);
  return manifest;
}

async function expectServed(path: string, manifest: Pushed): Promise<void> {
  const headers = { accept: `${index}, ${image}` };
  for (const method of ["GET", "HEAD"]) {
    const answer = await client.send(200, path, { method, headers });
    expect(answer.headers.get("content-type")).toBe(manifest.mediaType);
    expect(answer.headers.get("content-length")).toBe(String(manifest.size));
    expect(answer.headers.get("docker-content-digest")).toBe(manifest.digest);
    const bytes = await answer.bytes();
    expect(bytes).toEqual(method === "HEAD" ? new Uint8Array() : manifest.bytes);
  }
}

/** The shapes; each returns its manifests in the order in which they were pushed. */
const shapes: Readonly<Record<string, () => Promise<Pushed[]>>> = {
  image: async () => [await put(await imageContent())],
  "image of uncompressed layers": async () => [
    await put(
      await imageContent({ layers: [await blob("application/vnd.oci.image.layer.v1.tar")] }),
    ),
  ],
  "manifest of 3.9 MB": async () => {
    const long = "x".repeat(10_000);
    const names = Array.from({ length: 390 }, (_, number) => [`org.example.n${number}`, long]);
    return [await put(await imageContent({ annotations: Object.fromEntries(names) }))];
  },
  index: async () => {
    const children = [await put(await imageContent()), await put(await imageContent())];
    return [...children, await put(indexContent(children))];
  },
  "index of indexes": async () => {
    const leaf = await put(await imageContent());
    const inner = await put(indexContent([leaf]));
    return [leaf, inner, await put(indexContent([inner, leaf]))];
  },
  "index of nothing": async () => {
    count += 1;
    return [await put(indexContent([], { annotations: { count: String(count) } }))];
  },
  artifact: async () => [await put(await imageContent({ artifactType }))],
  "index of artifacts": async () => {
    const child = await put(await imageContent({ artifactType }));
    return [child, await put(indexContent([child], { artifactType }))];
  },
  "artifact of an empty object": async () => {
    const empty = await blob("application/vnd.oci.empty.v1+json", "{}");
    count += 1;
    const annotations = { count: String(count) };
    const content = await imageContent({ config: empty, layers: [empty], artifactType });
    return [await put({ ...content, annotations })];
  },
  "image without layers": async () => [await put(await imageContent({ layers: [] }))],
  "data in a descriptor": async () => {
    const text = "in the descriptor too";
    const layer = { ...(await blob(layerType, text)), data: btoa(text) };
    return [await put(await imageContent({ layers: [layer] }))];
  },
  "layers that are not distributed": async () => {
    const type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const urls = ["https://store.example.com/layer"];
    return [await put(await imageContent({ layers: [{ ...nowhere(type), urls }] }))];
  },
  "members that no specification knows": async () => [
    await put(await imageContent({ "org.example.member": { deep: [1, { er: null }] } })),
  ],
};

for (const [name, push] of Object.entries(shapes)) {
  test(`${name}: pushed, tagged, listed and deleted`, async () => {
    const manifests = await push();
    const top = manifests.at(-1);
    if (top === undefined) throw new Error("nothing was pushed");
    const tags = ["a", "b", "B", "c"].map((tag) => `${tag}-${top.digest.slice(7, 15)}`);
    const headers = { "content-type": top.mediaType };
    for (const tag of tags) {
      const path = `/v2/${repository}/manifests/${tag}`;
      await client.send(201, path, { method: "PUT", headers, body: top.bytes });
      await expectServed(path, top);
    }
    const [, middle = ""] = tags.toSorted();
    const listed = await tagsAfter("");
    expect(listed).toEqual(expect.arrayContaining(tags));
    expect(await tagsAfter(`?last=${middle}`)).toEqual(listed.filter((tag) => tag > middle));

    const [first = "", ...others] = tags;
    await client.send(202, `/v2/${repository}/manifests/${first}`, { method: "DELETE" });
    await client.send(404, `/v2/${repository}/manifests/${first}`, { method: "HEAD" });
    await expectServed(`/v2/${repository}/manifests/${top.digest}`, top);
    for (const { digest } of manifests.toReversed()) {
      await client.send(202, `/v2/${repository}/manifests/${digest}`, { method: "DELETE" });
      await client.send(404, `/v2/${repository}/manifests/${digest}`);
    }
    for (const tag of others) await client.send(404, `/v2/${repository}/manifests/${tag}`);
  });
}

async function tagsAfter(query: string): Promise<string[]> {
  const answer = await client.send([200, 404], `/v2/${repository}/tags/list${query}`);
  const { tags = [] } = (await answer.json()) as { tags?: string[] };
  return tags;
}

describe("referrers", () => {
  async function referrers(digest: string, query = ""): Promise<Descriptor[]> {
    const answer = await client.send(200, `/v2/${repository}/referrers/${digest}${query}`);
    expect(answer.headers.get("content-type")).toBe(index);
    expect(answer.headers.get("oci-filters-applied")).toBe(query === "" ? null : "artifactType");
    const body = (await answer.json()) as Record<string, unknown>;
    expect(body).toMatchObject({ schemaVersion: 2, mediaType: index });
    return body["manifests"] as Descriptor[];
  }

  for (const isThere of [true, false]) {
    test(`of a subject that is ${isThere ? "there" : "pushed nowhere"}`, async () => {
      const subject = described(isThere ? await put(await imageContent()) : nowhere(image));
      const annotations = { "org.example.note": "kept" };
      const typed = await put(await imageContent({ subject, artifactType, annotations }));
      const untyped = await put(await imageContent({ subject }));
      const child = await put(await imageContent());
      const whole = await put(indexContent([child], { subject, annotations }));

      const all = await referrers(subject.digest);
      const by = (digest: string): Descriptor | undefined =>
        all.find((descriptor) => descriptor.digest === digest);
      expect(all).toHaveLength(3);
      expect(by(typed.digest)).toEqual({ ...described(typed), artifactType, annotations });
      expect(by(untyped.digest)).toEqual({ ...described(untyped), artifactType: configType });
      expect(by(whole.digest)).toEqual({ ...described(whole), annotations });
      const filter = `?artifactType=${encodeURIComponent(artifactType)}`;
      expect(await referrers(subject.digest, filter)).toEqual([by(typed.digest) ?? subject]);

      await client.send(202, `/v2/${repository}/manifests/${typed.digest}`, { method: "DELETE" });
      expect(await referrers(subject.digest)).toHaveLength(2);
    });
  }

  test("of what nobody pushed are none, in a repository that nobody made", async () => {
    const digest = digestOf(encoder.encode("nobody"));
    const answer = await client.send(200, `/v2/nobody/made/this/referrers/${digest}`);
    expect(await answer.json()).toEqual({ schemaVersion: 2, mediaType: index, manifests: [] });
    await client.send(400, `/v2/${repository}/referrers/sha256:bad`);
  });
});

test("an index and its children by sha512", async () => {
  const child = await put(await imageContent(), "sha512");
  const whole = await put(indexContent([child]), "sha512");
  await client.send(202, `/v2/${repository}/manifests/${whole.digest}`, { method: "DELETE" });
  await client.send(404, `/v2/${repository}/manifests/${whole.digest}`, { method: "HEAD" });
});

test("ten tags in one request", async () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    const bytes = encoder.encode(JSON.stringify(await imageContent()));
    const digest = digestOf(bytes, algorithm);
    const tags = Array.from({ length: 10 }, (_, number) => `${algorithm}-${number}`);
    const query = tags.map((tag) => `tag=${tag}`).join("&");
    const answer = await client.send(201, `/v2/${repository}/manifests/${digest}?${query}`, {
      method: "PUT",
      headers: { "content-type": image },
      body: bytes,
    });
    expect((answer.headers.get("oci-tag") ?? "").split(/,\s*/)).toEqual(tags);
    const manifest = { mediaType: image, digest, size: bytes.length, bytes };
    for (const tag of tags) await expectServed(`/v2/${repository}/manifests/${tag}`, manifest);
  }
});

test("what is missing is missing, and what is wrong is refused", async () => {
  const bytes = encoder.encode(JSON.stringify(await imageContent()));
  const at = (reference: string): string => `/v2/${repository}/manifests/${reference}`;
  const send = { method: "PUT", headers: { "content-type": image }, body: bytes };
  await client.send(404, at(digestOf(encoder.encode("missing"))));
  await client.send(404, at("no-such-tag"));
  await client.send(404, at(".no-tag-at-all"));
  await client.send(400, at("sha256:baddigeststring"), send);
  await client.send([400, 404], at("sha256:baddigeststring"));
  await client.send(400, at(digestOf(bytes)), { ...send, body: encoder.encode("{}  ") });
  const content = await imageContent({ layers: [nowhere(layerType)] });
  const refused = await client.send(400, at("v1"), { ...send, body: JSON.stringify(content) });
  expect(await refused.text()).toContain("MANIFEST_BLOB_UNKNOWN");
});

test("an index whose children are nowhere is refused, and accepted where that is allowed", async () => {
  const content = indexContent([{ ...nowhere(image), bytes: new Uint8Array() }]);
  const body = JSON.stringify(content);
  const send = { method: "PUT", headers: { "content-type": index }, body };
  await client.send(400, `/v2/${repository}/manifests/sparse`, send);

  const config = { validation: { manifests: { indexes: { platforms: "none" } } } };
  const lenient = await startRegistry({ config });
  try {
    const other = new DistributionClient(lenient.origin);
    await other.send(201, `/v2/${repository}/manifests/sparse`, send);
    expect(await (await other.send(200, `/v2/${repository}/manifests/sparse`)).text()).toBe(body);
  } finally {
    await lenient.stop();
  }
});
