import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { loadConfig } from "../config/load.ts";
import { noteDamage } from "../database/damaged-file.ts";
import { connectPostgres } from "../database/postgres.ts";
import { openHeldRegistry } from "./held-registry.ts";
import { holdRoot } from "./root-owner.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-held-registry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

function configOf(name: string, environment: Readonly<Record<string, string>>) {
  const root = JSON.stringify(join(folder, name));
  const text = `{version: 0.1, storage: {filesystem: {rootdirectory: ${root}}}}`;
  return loadConfig({ text, environment }).config;
}

/** Three such as the one that tries out a backup, with the configuration of the first but for the folder. */
async function expectOneAtATime(environment: Readonly<Record<string, string>>): Promise<void> {
  const first = await openHeldRegistry(configOf("first", environment), parts);
  const second = openHeldRegistry(configOf("second", environment), parts);
  const said = await second.then(() => "opened", messageOf);
  expect(said).toContain("two registries on one database would damage each other");
  await first.probe();
  await first.close();
  const third = await openHeldRegistry(configOf("second", environment), parts);
  await third.close();
}

test("a registry of another folder is kept from SQLite's files of one that is at work", () =>
  expectOneAtATime({ REGISTRY_METADATA_DATABASE: join(folder, "shared", "metadata.sqlite") }));

test("databases that were found damaged are set aside only by who has them to itself", async () => {
  const path = join(folder, "damaged", "metadata.sqlite");
  const environment = { REGISTRY_METADATA_DATABASE: path };
  const first = await openHeldRegistry(configOf("one", environment), parts);
  noteDamage({ kind: "sqlite", path });
  const second = openHeldRegistry(configOf("two", environment), parts);
  expect(await second.then(() => "opened", messageOf)).toContain("are in use");
  expect(existsSync(`${path}.damaged`)).toBe(false);
  await first.close();
  const third = await openHeldRegistry(configOf("one", environment), parts);
  expect(existsSync(`${path}.damaged`)).toBe(true);
  await third.close();
});

test("a link to the registry's own folder is that folder, which is held already", async () => {
  mkdirSync(join(folder, "linked", "berth"), { recursive: true });
  symlinkSync(join(folder, "linked"), join(folder, "link"));
  const database = join(folder, "link", "berth", "metadata.sqlite");
  const config = configOf("linked", { REGISTRY_METADATA_DATABASE: database });
  const root = holdRoot(join(folder, "linked"), parts);
  const opened = await openHeldRegistry(config, parts);
  await opened.close();
  root.release();
});

test.skipIf(postgresSkipReason !== undefined)(
  "a registry of another folder is kept from the database of one that is at work",
  async () => {
    const { url } = await testPostgres();
    const admin = connectPostgres(url, 1);
    await admin.unsafe("create database held_registry");
    const own = new URL(url);
    own.pathname = "/held_registry";
    await expectOneAtATime({ REGISTRY_DATABASE_URL: own.href });
    await admin.close();
  },
);
