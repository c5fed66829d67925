/**
 * Berth as `serve` composes it, with two differences: its clock can be put forward, since no
 * benchmark waits for a day of grace, and rounds of collection begin only when they are asked for.
 *
 *   bun collecting-server.ts CONFIG-FILE CONTROL-PORT
 *
 * The control port takes POST /forward?hours=N, /round?isFull=true, /preview, /expire and /adopted.
 */
import { openAuthenticator } from "../../src/auth/open.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { systemRandom } from "../../src/base/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import { proxyTrust } from "../../src/http/forwarded.ts";
import { Wire } from "../../src/http/wire.ts";
import { Collection } from "../../src/server/collection.ts";
import { listen } from "../../src/server/listeners.ts";
import { openConfiguredRegistry } from "../../src/server/open-registry.ts";
import { systemEvery } from "../../src/server/periodic.ts";
import { wireSettings } from "../../src/server/settings.ts";

const [configFile = "", controlPort = "0"] = process.argv.slice(2);
const text = await Bun.file(configFile).text();
const { config } = loadConfig({ text, environment: {} });

let forwardMs = 0;
/** Both together, as time passes: a step of one alone is an error that collection notices. */
const clock: Clock = {
  nowMs: () => systemClock.nowMs() + forwardMs,
  monotonicMs: () => systemClock.monotonicMs() + forwardMs,
};
const parts = { clock, random: systemRandom, logger: silentLogger };
const opened = await openConfiguredRegistry(config, parts);
await opened.context.leases.begin();
const { signal } = new AbortController();
const collection = new Collection({ ...parts, context: opened.context, config: config.gc });
const adopted = opened.registry.adoption.run(signal);

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(controlPort),
  idleTimeout: 0,
  fetch: async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/forward") {
      // Leases are written down within a second, and not two days late as this clock would say.
      await opened.context.leases.flush();
      forwardMs += Number(searchParams.get("hours")) * 3_600_000;
      return new Response();
    }
    await adopted;
    if (pathname === "/expire") {
      const { trash } = opened.activity;
      for (;;) {
        const entries = await trash.expired(clock.nowMs(), 500);
        if (entries.length === 0) return new Response();
        await trash.remove(entries.map((entry) => entry.id));
      }
    }
    if (pathname === "/preview") {
      let count = 0;
      for await (const { keeper } of collection.preview()) if (keeper === undefined) count += 1;
      return Response.json({ count });
    }
    if (pathname !== "/round") return new Response();
    const isFull = searchParams.get("isFull") === "true";
    return Response.json(await collection.round({ signal, isFull }));
  },
});

const wire = new Wire({
  ...parts,
  registry: opened.registry,
  authenticator: openAuthenticator,
  settings: wireSettings(config),
  trust: proxyTrust(config.http.trustedProxies),
});
await listen({
  ...parts,
  http: config.http,
  answer: (request, peer) => wire.answer(request, peer),
  every: systemEvery,
  activatedSocket: undefined,
});
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.on(name, () => void opened.close().then(() => process.exit(0)));
}
