import pc from "picocolors";
import type { Config } from "../config/config.ts";
import { type RunningServer, serve, whatAnybodyMay } from "../server/serve.ts";
import { activatedSocket } from "../server/socket-activation.ts";
import { loadConfigFile } from "./config-file.ts";
import { version } from "./version.ts";

/**
 * `berth serve [config.yml]`: serves until it is told to stop.
 *
 * @returns the exit code: 1 when what was under way had to be ended.
 */
export async function runServe(path: string | undefined): Promise<number> {
  const { loaded, fileName } = loadConfigFile(path);
  const server = await serve(loaded, {
    version,
    activatedSocket: activatedSocket(process.env, process.pid),
  });
  if (fileName === undefined) {
    process.stdout.write(firstSteps(server, loaded.config));
  }
  return untilStopped(server);
}

/** Drains at the first SIGTERM or SIGINT, ends at once at the second. */
async function untilStopped(server: RunningServer): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let signals = 0;
  const stop = (): void => {
    signals += 1;
    // The second one ends what is still running, and with it the wait for the first.
    (signals === 1 ? server.stop() : server.kill()).then(resolve, reject);
  };
  // What renews a certificate often sends this signal then, which would otherwise end the process.
  if (server.renewCertificate !== undefined) process.on("SIGHUP", server.renewCertificate);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await promise;
  return signals === 1 ? 0 : 1;
}

/** What somebody sees and types next who has just started a registry for the first time. */
export function firstSteps(
  { origin, dataFolder }: Pick<RunningServer, "origin" | "dataFolder">,
  config: Config,
): string {
  const host = origin.replace(/^https?:\/\//, "");
  // No file says that it is on, but a variable may.
  const authentication =
    config.auth.kind === "none"
      ? `${pc.bold("off")}: whoever reaches this port may ${whatAnybodyMay(config)}.`
      : `${pc.bold("on")} (${config.auth.kind}).`;
  return [
    "",
    `Berth listens on ${pc.bold(origin)}`,
    `The data is in   ${pc.bold(dataFolder)}`,
    `Authentication is ${authentication}`,
    "",
    "Try it:",
    `  docker tag alpine ${host}/alpine`,
    `  docker push ${host}/alpine`,
    `  curl ${origin}/v2/_catalog`,
    "",
    "",
  ].join("\n");
}
