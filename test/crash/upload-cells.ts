/** Requests that meet on an upload session. */
import { type Cell, cell } from "./matrix-cells.ts";
import type { MatrixWorld } from "./matrix-world.ts";
import type { Sample } from "./samples.ts";
import type { Answer } from "./wire-client.ts";

const dayMs = 86_400_000;
/** One of two writers is told where the upload stands, or that there is none any more. */
const outrun = [404, 416];

export const uploadCells: readonly Cell[] = [
  cell("four clients × one digest in chunks, with aborts", async (world, findings) => {
    const blob = world.blob();
    const client = (): Promise<Answer> => pushWithAborts(world, blob);
    const answers = await world.meet<readonly Answer[]>(client, client, client, client);
    for (const answer of answers) findings.status("a PUT", answer, [201]);
    findings.value("the blob", await world.pullBlob(blob.digest), [blob.digest]);
  }),
  cell("PATCH × PATCH of one session", async (world, findings) => {
    const { bytes, digest } = world.blob();
    const location = await world.begin();
    const patch = (): Promise<Answer> => world.patch(location, bytes, 0);
    const answers = await world.meet<readonly [Answer, Answer]>(patch, patch);
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    findings.value("the answers", statuses.join(" and "), ["202 and 416"]);
    const { status } = await world.put(location, digest);
    findings.value("the PUT", String(status), ["201"]);
  }),
  cell("PUT × PUT of one session", async (world, findings) => {
    const { bytes, digest } = world.blob();
    const location = await world.begin();
    const put = (): Promise<Answer> => world.put(location, digest, bytes);
    const [one, two] = await world.meet<readonly [Answer, Answer]>(put, put);
    findings.status("the first", one, [201, ...outrun]);
    findings.status("the second", two, [201, ...outrun]);
    findings.holds("not exactly one PUT was taken", (one.status === 201) !== (two.status === 201));
    findings.value("the blob", await world.pullBlob(digest), [digest]);
  }),
  cell("cancel × PUT", async (world, findings) => {
    const { bytes, digest } = world.blob();
    const location = await world.begin();
    const [cancelled, put] = await world.meet<readonly [Answer, Answer]>(
      () => world.send("DELETE", location),
      () => world.put(location, digest, bytes),
    );
    findings.status("the cancel", cancelled, [204, 404]);
    findings.status("the PUT", put, [201, 404]);
    const taken = [put.status === 201, cancelled.status === 204];
    findings.holds("neither was taken", taken.includes(true));
    if (put.status === 201) findings.value("the blob", await world.pullBlob(digest), [digest]);
    findings.status("the session", await world.send("GET", location), [404]);
  }),
  cell("purge × PATCH", async (world, findings) => {
    const { bytes, digest } = world.blob();
    const location = await world.begin();
    await world.patch(location, bytes.subarray(0, 50), 0);
    world.clock.ms += 8 * dayMs;
    const [patched] = await world.meet<readonly [Answer, void]>(
      () => world.patch(location, bytes.subarray(50), 50),
      () => world.purge(7 * dayMs),
    );
    findings.status("the PATCH", patched, [202, 404]);
    // What was taken is alive: nobody purges a session that was written to a moment ago.
    const put = await world.put(location, digest);
    findings.status("the PUT", put, patched.status === 202 ? [201] : [404]);
  }),
];

/** Sends a part and breaks off, asks how far it came, and goes on there. */
async function pushWithAborts(world: MatrixWorld, { bytes, digest }: Sample): Promise<Answer> {
  const location = await world.begin();
  // Two bytes at least: a Range of 0-0 stands for one byte and for none.
  const end = 2 + world.random.below(bytes.byteLength - 2);
  const pieces = [bytes.slice(0, end)];
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = pieces.pop();
      if (piece === undefined) controller.error(new Error("the client is gone"));
      else controller.enqueue(piece);
    },
  });
  await world.send("PATCH", location, { body }).catch(() => undefined);
  const { headers } = await world.send("GET", location);
  const range = /^0-(\d+)$/.exec(headers.get("Range") ?? "")?.[1] ?? "0";
  const offset = range === "0" ? 0 : Number(range) + 1;
  return world.put(location, digest, bytes.subarray(offset));
}
