/**
 * The client for large bodies: curl, which is lean, and here and there `fetch` for the small
 * requests around it. It is bound to the same cores as the other load generators.
 */

import { join } from "node:path";
import type { Server } from "./peers/peer.ts";
import { findProgram } from "./process.ts";
import { clientCores } from "./settings.ts";

export interface Transferred {
  readonly sizeBytes: number;
  readonly clientTicks: number;
  /** From the client's first step to its last byte; its own start is not counted. */
  readonly seconds: number;
}

const chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"];

/** Downloads paths at the same time into nothing, and returns how many bytes came in all. */
export async function download(server: Server, paths: readonly string[]): Promise<Transferred> {
  const urls = paths.flatMap((path) => ["-o", "/dev/null", server.origin + path]);
  const parallel = paths.length > 1 ? ["--parallel", "--parallel-immediate"] : [];
  const { output, clientTicks } = await curl([
    ...parallel,
    "--parallel-max",
    String(Math.max(paths.length, 1)),
    "-w",
    "%{http_code} %{size_download} %{time_total}\n",
    ...urls,
  ]);
  let sizeBytes = 0;
  let seconds = 0;
  for (const line of output.trim().split("\n")) {
    const [status, size, time] = line.split(" ");
    if (status !== "200") throw new Error(`${server.name} answers a download with ${status}`);
    sizeBytes += Number(size);
    seconds = Math.max(seconds, Number(time));
  }
  return { sizeBytes, clientTicks, seconds };
}

/** Downloads one path with a client that never looks at the bytes. */
export async function discard(server: Server, path: string): Promise<Transferred> {
  const client = join(import.meta.dir, "discard-client.ts");
  const port = new URL(server.origin).port;
  const { output, clientTicks } = await runClient([process.execPath, client, port, path]);
  const counted: { sizeBytes: number; seconds: number } = JSON.parse(
    output.replace(/^RESULT /, ""),
  );
  return { ...counted, clientTicks };
}

/** Pushes a file as docker does: POST, one streamed PATCH without a length, PUT. */
export async function push(
  server: Server,
  blob: { readonly repository: string; readonly digest: string; readonly path: string },
): Promise<{ readonly clientTicks: number }> {
  const begun = await fetch(`${server.origin}/v2/${blob.repository}/blobs/uploads/`, {
    method: "POST",
    headers: server.headers,
  });
  if (begun.status !== 202) throw new Error(`${server.name} answers POST with ${begun.status}`);
  const source = ["-X", "PATCH", "-T", blob.path, "-H", "Content-Type: application/octet-stream"];
  const answer = ["-o", "/dev/null", "-w", "%{http_code} %header{location}\n"];
  const target = locationOf(server, begun.headers.get("location"));
  const { output, clientTicks } = await curl([...source, ...chunked, ...answer, target]);
  const [status, location = ""] = output.trim().split(" ");
  if (status !== "202") throw new Error(`${server.name} answers PATCH with ${status}`);
  const end = new URL(locationOf(server, location));
  end.searchParams.set("digest", blob.digest);
  const ended = await fetch(end, { method: "PUT", headers: server.headers });
  const complaint = await ended.text();
  if (ended.status !== 201) {
    throw new Error(`${server.name} answers PUT with ${ended.status}: ${complaint}`);
  }
  return { clientTicks };
}

/** Throws unless HEAD knows the blob and GET gives bytes with its digest. */
export async function verifyBlob(
  server: Server,
  blob: { readonly repository: string; readonly digest: string; readonly sizeBytes: number },
): Promise<void> {
  const url = `${server.origin}/v2/${blob.repository}/blobs/${blob.digest}`;
  const head = await fetch(url, { method: "HEAD", headers: server.headers });
  const length = head.headers.get("content-length");
  if (head.status !== 200 || length !== String(blob.sizeBytes)) {
    throw new Error(`${server.name} answers HEAD with ${head.status} and ${length} bytes`);
  }
  const response = await fetch(url, { headers: server.headers });
  const hasher = new Bun.CryptoHasher("sha256");
  if (response.body !== null) for await (const chunk of response.body) hasher.update(chunk);
  const actual = `sha256:${hasher.digest("hex")}`;
  if (actual !== blob.digest) throw new Error(`${server.name} gives ${actual}, not ${blob.digest}`);
}

/**
 * The same PATCH into a server that throws everything away: how fast the client could push.
 * The sink answers only when the terminating chunk was seen.
 */
export async function pushCeiling(path: string): Promise<{ readonly seconds: number }> {
  const sink = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, bytes) => {
        if (bytes.subarray(-5).toString("latin1") !== "0\r\n\r\n") return;
        socket.end("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
      },
    },
  });
  const startedAtMs = performance.now();
  await curl(["-X", "PATCH", "-T", path, ...chunked, `http://127.0.0.1:${sink.port}/`]);
  sink.stop(true);
  return { seconds: (performance.now() - startedAtMs) / 1_000 };
}

function locationOf(server: Server, location: string | null): string {
  if (location === null || location === "") throw new Error(`${server.name} gives no Location`);
  return new URL(location, server.origin).href;
}

async function curl(args: readonly string[]): Promise<ClientRun> {
  return runClient([findProgram("curl") ?? "curl", "-sS", "--no-buffer", ...args]);
}

interface ClientRun {
  readonly output: string;
  readonly clientTicks: number;
}

async function runClient(command: readonly string[]): Promise<ClientRun> {
  const child = Bun.spawn(["taskset", "-c", clientCores().join(","), ...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const code = await child.exited;
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${complaint.trim()}`);
  return { output, clientTicks: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 10_000 };
}
