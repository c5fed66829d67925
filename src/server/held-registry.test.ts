import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { loadConfig } from "../config/load.ts";
import { connectPostgres } from "../database/postgres.ts";
import { openHeldRegistry } from "./held-registry.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-held-registry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

function configOf(name: string, url: string) {
  const root = JSON.stringify(join(folder, name));
  const text = `{version: 0.1, storage: {filesystem: {rootdirectory: ${root}}}}`;
  return loadConfig({ text, environment: { REGISTRY_DATABASE_URL: url } }).config;
}

test.skipIf(postgresSkipReason !== undefined)(
  "a registry of another folder is kept from the database of one that is at work",
  async () => {
    const { url } = await testPostgres();
    const admin = connectPostgres(url, 1);
    await admin.unsafe("create database held_registry");
    const own = new URL(url);
    own.pathname = "/held_registry";
    const first = await openHeldRegistry(configOf("first", own.href), parts);
    // Such as the one that tries out a backup, with the configuration of the first but for the folder.
    const second = openHeldRegistry(configOf("second", own.href), parts);
    await expect(second).rejects.toThrow("two registries on one database would damage each other");
    await first.probe();
    await first.close();
    const third = await openHeldRegistry(configOf("second", own.href), parts);
    await third.close();
    await admin.close();
  },
);
