/**
 * Clients that push small images, each one after the other, as docker does: for each of three
 * blobs HEAD, POST, PATCH without a length, PUT, and then the manifest. Prints what it counted
 * as JSON, with some of the images, so that others can look whether they are there.
 *
 *   bun bench/image-client.ts ORIGIN CLIENTS SECONDS PREFIX
 */
import { parseArgs } from "node:util";
import { manifestMediaType } from "./tree.ts";

const [origin = "", clients = "", seconds = "", prefix = ""] = parseArgs({
  allowPositionals: true,
}).positionals;
const layerSizeBytes = 6_000;
const configSizeBytes = 1_500;
const samplesMax = 40;

interface Pushed {
  readonly repository: string;
  readonly tag: string;
  readonly digests: readonly string[];
}

const samples: Pushed[] = [];
const latenciesMs: number[] = [];
const startedAtMs = performance.now();
const endsAtMs = startedAtMs + Number(seconds) * 1_000;
await Promise.all(Array.from({ length: Number(clients) }, (_, client) => pushUntilEnd(client)));
const durationUs = Math.round((performance.now() - startedAtMs) * 1_000);
latenciesMs.sort((left, right) => left - right);
const counted = {
  images: latenciesMs.length,
  durationUs,
  p50Us: percentileUs(0.5),
  p99Us: percentileUs(0.99),
  samples,
};
console.log(`RESULT ${JSON.stringify(counted)}`);
process.exit(0);

async function pushUntilEnd(client: number): Promise<void> {
  const repository = `${prefix}/client-${client}`;
  for (let number = 0; performance.now() < endsAtMs; number += 1) {
    const beganAtMs = performance.now();
    const pushed = await pushImage(repository, number);
    latenciesMs.push(performance.now() - beganAtMs);
    if (number % 8 === 0 && samples.length < samplesMax) samples.push(pushed);
  }
}

async function pushImage(repository: string, number: number): Promise<Pushed> {
  const tag = `v${number}`;
  const text = `${repository} ${tag}`;
  const config = await pushBlob(repository, filled(`${text} config\n`, configSizeBytes));
  const layers = [
    await pushBlob(repository, filled(`${text} layer 1\n`, layerSizeBytes)),
    await pushBlob(repository, filled(`${text} layer 2\n`, layerSizeBytes)),
  ];
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestMediaType,
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: layers.map((layer) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      ...layer,
    })),
  });
  const headers = { "content-type": manifestMediaType };
  await send("PUT", `/v2/${repository}/manifests/${tag}`, { body, headers, status: 201 });
  const digests = [digestOf(body), ...[config, ...layers].map((blob) => blob.digest)];
  return { repository, tag, digests };
}

async function pushBlob(
  repository: string,
  text: string,
): Promise<{ readonly digest: string; readonly size: number }> {
  const digest = digestOf(text);
  const base = `/v2/${repository}/blobs`;
  await send("HEAD", `${base}/${digest}`, { status: 404 });
  const begun = await send("POST", `${base}/uploads/`, { status: 202 });
  // A stream has no length that could be announced.
  const body = new Blob([text]).stream();
  const headers = { "content-type": "application/octet-stream" };
  const target = begun.headers.get("location") ?? "";
  const sent = await send("PATCH", target, { body, headers, status: 202 });
  const end = new URL(sent.headers.get("location") ?? "", origin);
  end.searchParams.set("digest", digest);
  await send("PUT", end.href, { status: 201 });
  return { digest, size: text.length };
}

async function send(
  method: string,
  target: string,
  request: {
    readonly status: number;
    readonly body?: string | ReadableStream;
    readonly headers?: Record<string, string>;
  },
): Promise<Response> {
  const { status, ...init } = request;
  const answer = await fetch(new URL(target, origin), { method, ...init });
  const text = await answer.text();
  if (answer.status === status) return answer;
  throw new Error(`${method} ${target} answers ${answer.status}, not ${status}: ${text}`);
}

function digestOf(text: string): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
}

function filled(text: string, sizeBytes: number): string {
  return text.repeat(Math.ceil(sizeBytes / text.length)).slice(0, sizeBytes);
}

function percentileUs(share: number): number {
  const index = Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share));
  return Math.round((latenciesMs[index] ?? 0) * 1_000);
}
