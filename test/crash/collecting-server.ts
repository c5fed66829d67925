/**
 * A registry whose collection is as quick as no configuration allows. A program of its own, to be
 * killed.
 *
 *   bun collecting-server.ts <data folder> <port> <control port> <grace in ms> <interval in ms>
 *
 * The control port answers with how many rounds there were, and the last that found something.
 */
import { openAuthenticator } from "../../src/auth/open.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { systemRandom } from "../../src/base/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import { proxyTrust } from "../../src/http/forwarded.ts";
import { Wire } from "../../src/http/wire.ts";
import { Collection } from "../../src/server/collection.ts";
import { listen } from "../../src/server/listeners.ts";
import { openRegistry } from "../../src/server/open-registry.ts";
import { systemEvery } from "../../src/server/periodic.ts";
import { registryPolicy, wireSettings } from "../../src/server/settings.ts";

const [folder = "", port = "0", controlPort = "0", grace = "2000", interval = "200"] =
  process.argv.slice(-5);
const [graceMs, intervalMs] = [Number(grace), Number(interval)];
const text = `
version: 0.1
storage: { filesystem: { rootdirectory: ${folder} }, delete: { enabled: true } }
http: { addr: "127.0.0.1:${port}" }
trash: { retention: ${graceMs}ms }
`;
const { config } = loadConfig({ text, environment: {} });
const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
const reserveBytes =
  config.storage.driver.kind === "filesystem" ? config.storage.driver.reserveBytes : 0;
const opened = await openRegistry({
  ...parts,
  storage: { kind: "filesystem", rootFolder: folder, durability: "full", reserveBytes },
  metadata: { kind: "sqlite", path: `${folder}/berth/metadata.sqlite` },
  records: { kind: "sqlite", path: `${folder}/berth/berth.sqlite` },
  policy: { ...registryPolicy(config), leaseMs: graceMs },
});
await opened.probe().catch(() => undefined);
await opened.context.leases.begin();
const { signal } = new AbortController();
const collection = new Collection({
  ...parts,
  context: opened.context,
  config: { isEnabled: true, intervalMs, graceMs, trashGraceMs: graceMs, rate: 100_000 },
});

const state = {
  rounds: 0,
  idleRounds: 0,
  removedBlobs: 0,
  trashedBlobs: 0,
  problem: "",
  failure: "",
};
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(controlPort),
  fetch: () => Response.json(state),
});

const wire = new Wire({
  ...parts,
  registry: opened.registry,
  authenticator: openAuthenticator,
  settings: wireSettings(config),
  trust: proxyTrust(config.http.trustedProxies),
  isStorageFull: () => opened.reserve?.isGivenBack === true,
});
// As the server's health does.
systemEvery(intervalMs, () => void opened.probe().catch(() => undefined));
await listen({
  ...parts,
  http: config.http,
  answer: (request, peer) => wire.answer(request, peer),
  every: systemEvery,
  activatedSocket: undefined,
});

await opened.registry.adoption.run(signal);
for (;;) {
  try {
    await collect();
    state.failure = "";
  } catch (error) {
    // As in the server: the next round begins again.
    state.failure = String(error);
  }
  state.rounds += 1;
  await Bun.sleep(intervalMs);
}

async function collect(): Promise<void> {
  // As a server does by itself; a round that somebody asks for looks at all folders of blobs.
  const result = await collection.round({ signal, isFull: state.rounds % 10 === 9 });
  const { trashedBlobs, removedBlobs, removedLinks, removedRepositories, problem } = result;
  state.trashedBlobs += trashedBlobs;
  state.removedBlobs += removedBlobs;
  const isIdle = trashedBlobs + removedBlobs + removedLinks + removedRepositories === 0;
  state.idleRounds = isIdle ? state.idleRounds + 1 : 0;
  state.problem = problem ?? "";
}
