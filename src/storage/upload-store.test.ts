import { expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { digestOf } from "../oci/digest.ts";
import { nameOf } from "../oci/test-support.ts";
import { MemoryStore } from "./drivers/memory.ts";
import type { ObjectStore } from "./object-store.ts";
import { UploadStore } from "./upload-store.ts";

const name = nameOf("team/app");
const openStore = (objects: ObjectStore) =>
  new UploadStore({ objects, clock: systemClock, random: systemRandom });

async function* piecesOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

test("another process goes on with a session, but hashes its bytes itself", async () => {
  const objects = new MemoryStore(systemClock);
  const before = openStore(objects);
  const begun = await before.begin(name, { owner: "", algorithm: "sha256" });
  const half = await before.append(begun, piecesOf("first ", "half"));
  expect(half.digest).toBe(digestOf("first half"));
  // As a power cut can leave it: the length is there, the bytes are not.
  await objects.put(before.dataKey(half), new Uint8Array(10));
  const after = openStore(objects);
  const found = (await after.find(name, half.id)) ?? expect.unreachable();
  expect(found.offset).toBe(10);
  expect(found.digest).toBeUndefined();
  expect(await after.seal(found, "sha256")).toBe(digestOf(new Uint8Array(10)));
});

test("a large upload is hashed by the thread, over several chunks, in both algorithms", async () => {
  const large = "x".repeat(900_000);
  for (const algorithm of ["sha256", "sha512"] as const) {
    const store = openStore(new MemoryStore(systemClock));
    const begun = await store.begin(name, { owner: "", algorithm });
    const first = await store.append(begun, piecesOf(large, large, "end of the first"));
    const second = await store.append(first, piecesOf(large));
    const all = `${large}${large}end of the first${large}`;
    expect(second.digest).toBe(digestOf(all, algorithm));
    expect(await store.seal(second, algorithm)).toBe(digestOf(all, algorithm));
    expect(await store.seal(second, algorithm === "sha256" ? "sha512" : "sha256")).toBe(
      digestOf(all, algorithm === "sha256" ? "sha512" : "sha256"),
    );
    await store.remove(second);
  }
});

test("large uploads at once have each their own digest", async () => {
  const store = openStore(new MemoryStore(systemClock));
  const texts = Array.from({ length: 4 }, (_, at) => String(at).repeat(700_000));
  const digests = texts.map(async (text) => {
    const begun = await store.begin(name, { owner: "", algorithm: "sha256" });
    return (await store.append(begun, piecesOf(text, text))).digest;
  });
  expect(await Promise.all(digests)).toEqual(texts.map((text) => digestOf(text + text)));
});

test("bytes that came before the source broke off are kept and hashed", async () => {
  const store = openStore(new MemoryStore(systemClock));
  const begun = await store.begin(name, { owner: "", algorithm: "sha256" });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield* piecesOf("kept");
    throw new Error("the connection ended");
  }
  expect(store.append(begun, broken())).rejects.toThrow("the connection ended");
  const found = (await store.find(name, begun.id)) ?? expect.unreachable();
  expect(found).toMatchObject({ offset: 4, digest: digestOf("kept") });
});

test("a session that is cancelled while its bytes come does not come back to life", async () => {
  const objects = new MemoryStore(systemClock);
  const store = openStore(objects);
  const begun = await store.begin(name, { owner: "", algorithm: "sha256" });
  const folder = store.dataKey(begun).replace(/\/data$/, "");
  async function* cancelledHalfway(): AsyncGenerator<Uint8Array> {
    yield* piecesOf("first half");
    await store.remove(begun);
    yield* piecesOf("second half");
  }
  expect(store.append(begun, cancelledHalfway())).rejects.toThrow("is not known");
  expect(await objects.list(folder)).toEqual([]);
});

test("what is written to after the purge has listed it is not purged", async () => {
  const store = openStore(new MemoryStore(systemClock));
  const begun = await store.begin(name, { owner: "", algorithm: "sha256" });
  const [listed = expect.unreachable()] = await Array.fromAsync(store.list(name));
  await store.append(begun, piecesOf("more"));
  expect(await store.purge(listed.folder, () => false)).toBe(false);
  expect((await store.find(name, begun.id))?.offset).toBe(4);
  expect(await store.purge(listed.folder, () => true)).toBe(true);
  expect(await store.find(name, begun.id)).toBeUndefined();
});
