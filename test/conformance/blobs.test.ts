/**
 * Blobs, pushed in every way of the distribution specification (v1.1 and its main branch), with
 * the answers that its conformance runner accepts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Algorithm,
  type Chunk,
  DistributionClient,
  digestOf,
  location,
  octetStream,
  type Upload,
} from "../support/distribution-client.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const one = "conformance/one";
const two = "conformance/two";

let server: RegistryServer;
let client: DistributionClient;
beforeAll(async () => {
  server = await startRegistry();
  client = new DistributionClient(server.origin);
});
afterAll(async () => server?.stop());

let seed = 0;

/** Bytes that no other test has. */
function uniqueBytes(sizeBytes: number): Uint8Array {
  seed += 1;
  const bytes = new Uint8Array(sizeBytes);
  let state = seed * 2_654_435_761;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

function newUpload(algorithm: Algorithm, sizeBytes = 2_048): Upload {
  const bytes = uniqueBytes(sizeBytes);
  return { repository: one, bytes, digest: digestOf(bytes, algorithm) };
}

/** The pieces of an upload with the offset of each. */
function chunksOf(bytes: Uint8Array, count: number): Chunk[] {
  const sizeBytes = Math.ceil(bytes.length / count);
  return Array.from({ length: count }, (_, index) => ({
    start: index * sizeBytes,
    bytes: bytes.slice(index * sizeBytes, (index + 1) * sizeBytes),
  }));
}

type Push = (upload: Upload) => Promise<Response>;

const ways: Readonly<Record<string, Push>> = {
  "one POST": async ({ repository, bytes, digest }) =>
    client.send(201, `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      headers: octetStream,
      body: bytes,
    }),
  "POST and PUT": async ({ repository, bytes, digest }) =>
    client.end(await client.begin(repository), digest, { bytes }),
  "one chunk": async ({ repository, bytes, digest }) => {
    const patched = await client.sendChunk(await client.begin(repository), { start: 0, bytes });
    return client.end(location(patched), digest);
  },
  "four chunks": async ({ repository, bytes, digest }) => {
    let at = await client.begin(repository);
    for (const chunk of chunksOf(bytes, 4)) {
      const patched = await client.sendChunk(at, chunk);
      const last = chunk.start + chunk.bytes.length - 1;
      expect(patched.headers.get("range")).toBe(`0-${last}`);
      at = location(patched);
    }
    return client.end(at, digest);
  },
  "the last chunk in the PUT": async ({ repository, bytes, digest }) => {
    let at = await client.begin(repository);
    const chunks = chunksOf(bytes, 4);
    for (const chunk of chunks.slice(0, -1)) {
      at = location(await client.sendChunk(at, chunk));
    }
    return client.end(at, digest, chunks.at(-1) ?? {});
  },
  "chunks, each after one out of order": async ({ repository, bytes, digest }) => {
    let at = await client.begin(repository);
    for (const [index, chunk] of chunksOf(bytes, 4).entries()) {
      const wrong = index === 0 ? chunk.bytes.length : 0;
      await client.sendChunk(at, { ...chunk, start: wrong }, 416);
      await client.expectOffset(at, chunk.start);
      at = location(await client.sendChunk(at, chunk));
    }
    return client.end(at, digest);
  },
  "a last chunk in the PUT, after one out of order": async ({ repository, bytes, digest }) => {
    let at = await client.begin(repository);
    const chunks = chunksOf(bytes, 4);
    for (const chunk of chunks.slice(0, -1)) {
      at = location(await client.sendChunk(at, chunk));
    }
    const last = chunks.at(-1) ?? { start: 0, bytes };
    await client.end(at, digest, { bytes: last.bytes, start: 0, status: 416 });
    const withDigest = new URL(client.resolve(at));
    withDigest.searchParams.set("digest", digest);
    await client.expectOffset(withDigest.href, last.start);
    return client.end(at, digest, last);
  },
  "a stream of unknown length": async ({ repository, bytes, digest }) => {
    const at = await client.begin(repository);
    const parts = chunksOf(bytes, 3).map((chunk) => chunk.bytes);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    });
    const patched = await client.send(202, at, { method: "PATCH", headers: octetStream, body });
    return client.end(location(patched), digest);
  },
};

describe.each(["sha256", "sha512"] as const)("%s", (algorithm) => {
  for (const [name, push] of Object.entries(ways)) {
    test(`${name}: stored, served and deleted`, async () => {
      const upload = newUpload(algorithm);
      const path = `/v2/${one}/blobs/${upload.digest}`;
      await client.send(404, path, { method: "HEAD" });
      await client.expectStored(upload, await push(upload));
      await client.deleteBlob(one, upload.digest);
      // What was deleted can be pushed again.
      await client.expectStored(upload, await push(upload));
      await client.deleteBlob(one, upload.digest);
    });

    test(`${name}: refused when the bytes are others`, async () => {
      const upload = newUpload(algorithm);
      const others = { ...upload, bytes: uniqueBytes(2_048) };
      const refused = await push(others).catch((error: unknown) => String(error));
      expect(refused).toMatch(/: 400, not 201/);
      await client.send(404, `/v2/${one}/blobs/${upload.digest}`, { method: "HEAD" });
    });
  }

  test("a blob of another repository is mounted, with its name and without", async () => {
    const upload = newUpload(algorithm);
    await client.push(two, upload.bytes, algorithm);
    for (const from of [`&from=${two}`, ""]) {
      const path = `/v2/${one}/blobs/uploads/?mount=${upload.digest}${from}`;
      const mounted = await client.send(201, path, { method: "POST" });
      await client.expectStored(upload, mounted);
      await client.deleteBlob(one, upload.digest);
    }
    await client.deleteBlob(two, upload.digest);
  });

  test("a mount of what is not there becomes an upload", async () => {
    const upload = newUpload(algorithm);
    const path = `/v2/${one}/blobs/uploads/?mount=${upload.digest}&from=${two}`;
    const begun = await client.send(202, path, { method: "POST" });
    await client.expectStored(
      upload,
      await client.end(location(begun), upload.digest, { bytes: upload.bytes }),
    );
    await client.deleteBlob(one, upload.digest);
  });

  test("an upload is cancelled", async () => {
    const at = await client.begin(one);
    await client.send(204, at, { method: "DELETE" });
    await client.send(404, at);
  });

  test("ranges are served, and refused where there is nothing", async () => {
    const upload = newUpload(algorithm);
    await client.push(one, upload.bytes, algorithm);
    const path = `/v2/${one}/blobs/${upload.digest}`;
    const cases: Readonly<Record<string, readonly [start: number, end: number]>> = {
      "bytes=500-1499": [500, 1_500],
      "bytes=500-": [500, 2_048],
      "bytes=-500": [1_548, 2_048],
      "bytes=2000-5000": [2_000, 2_048],
    };
    for (const [range, [start, end]] of Object.entries(cases)) {
      const answer = await client.send(206, path, { headers: { range } });
      expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/2048`);
      expect(answer.headers.get("content-length")).toBe(String(end - start));
      expect(await answer.bytes()).toEqual(upload.bytes.slice(start, end));
    }
    for (const range of ["bytes=500-0", "bytes=5000-10000"]) {
      await client.send(416, path, { headers: { range } });
    }
  });

  test("the empty blob and the empty object", async () => {
    for (const bytes of [new Uint8Array(), new TextEncoder().encode("{}")]) {
      const upload = { repository: one, bytes, digest: digestOf(bytes, algorithm) };
      const begun = await client.begin(one);
      await client.expectStored(upload, await client.end(begun, upload.digest, { bytes }));
    }
  });
});

test("a digest that is none is refused", async () => {
  for (const digest of ["sha256:short", "md5:d41d8cd98f00b204e9800998ecf8427e"]) {
    await client.end(await client.begin(one), digest, { bytes: uniqueBytes(8), status: 400 });
  }
});
