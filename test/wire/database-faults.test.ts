/** Databases that are damaged or gone while the storage is well. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { postgresSkipReason, testPostgres } from "../support/postgres.ts";
import type { RawRequest } from "../support/raw-http.ts";
import { rigSchemas, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { config, hello, image } from "./content.ts";

const putManifest: RawRequest = {
  method: "PUT",
  target: "/v2/foo/manifests/latest",
  headers: { "Content-Type": image.mediaType },
  body: image.bytes,
};

async function pushBlobs(rig: WireRig): Promise<void> {
  for (const { bytes, digest } of [config, hello]) {
    const target = `/v2/foo/blobs/uploads/?digest=${digest}`;
    expect((await rig.send({ method: "POST", target, body: bytes })).status).toBe(201);
  }
}

/** Requests that nothing but the database can answer, or that have to be recorded. */
const questions: readonly RawRequest[] = [
  { method: "GET", target: "/v2/foo/tags/list" },
  { method: "GET", target: "/v2/foo/manifests/latest" },
  { method: "GET", target: `/v2/foo/blobs/${hello.digest}` },
  { method: "GET", target: `/v2/foo/referrers/${image.digest}` },
  { method: "GET", target: "/v2/_catalog" },
  putManifest,
  { method: "DELETE", target: "/v2/foo/manifests/latest" },
];

async function expectUnavailable(rig: WireRig): Promise<void> {
  for (const request of questions) {
    const answer = await rig.send(request);
    expect(`${request.method} ${request.target} ${answer.status}`).toBe(
      `${request.method} ${request.target} 503`,
    );
    expect(answer.body.toString()).toContain("the registry's database");
  }
  expect(rig.errors).toEqual([]);
  const found = await rig.probeDatabase().catch((error: unknown) => String(error));
  expect(found).toContain("the registry's database");
}

test("a damaged database answers 503, not 500 and not 404", async () => {
  await withWireRig({ driver: "filesystem", databases: "files" }, async (rig) => {
    await pushBlobs(rig);
    const path = join(rig.dataFolder, "berth/metadata.sqlite");
    // Nothing of it is left but a length: neither what was moved into the file nor the log.
    truncateSync(`${path}-wal`, 32);
    writeFileSync(path, new Uint8Array(64 * 1024).fill(0xff));
    await expectUnavailable(rig);
  });
});

test.skipIf(postgresSkipReason !== undefined)(
  "a PostgreSQL that is gone answers 503, and the registry goes on once it is back",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-postgres-socket-"));
    const socketName = ".s.PGSQL.5432";
    const { searchParams } = new URL((await testPostgres()).url);
    const real = join(searchParams.get("host") ?? "", socketName);
    const admin = new SQL({
      adapter: "postgres",
      path: real,
      username: "berth",
      database: "postgres",
    });
    // A user of its own: the server is shared with the tests of other files.
    await admin.unsafe("create role wire_faults superuser login");
    // Where the registry looks for the server; without the link there is none.
    const plug = (): void => symlinkSync(real, join(folder, socketName));
    const unplug = async (): Promise<void> => {
      rmSync(join(folder, socketName));
      await admin.unsafe(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'wire_faults'",
      );
    };
    plug();
    try {
      const url = `postgres://wire_faults@localhost/postgres?host=${encodeURIComponent(folder)}`;
      await withWireRig({ driver: "filesystem", databases: { url } }, async (rig) => {
        await pushBlobs(rig);
        await unplug();
        await expectUnavailable(rig);
        plug();
        await rig.registry.adoption.settleDoubts(new AbortController().signal);
        expect((await rig.send(putManifest)).status).toBe(201);
        const pulled = await rig.send({ method: "GET", target: "/v2/foo/manifests/latest" });
        expect(pulled.body.equals(image.bytes)).toBe(true);
      });
    } finally {
      for (const schema of rigSchemas)
        await admin.unsafe(`drop schema if exists ${schema} cascade`);
      await admin.unsafe("drop role wire_faults");
      await admin.close();
      rmSync(folder, { recursive: true });
    }
  },
);
