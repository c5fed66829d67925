import pc from "picocolors";
import { type RunningServer, serve } from "../server/serve.ts";
import { activatedSocket } from "../server/socket-activation.ts";
import { loadConfigFile } from "./config-file.ts";
import { version } from "./version.ts";

/** `berth serve [config.yml]`: serves until it is told to stop. */
export async function runServe(path: string | undefined): Promise<void> {
  const { loaded, fileName } = loadConfigFile(path);
  const server = await serve(loaded, {
    version,
    activatedSocket: activatedSocket(process.env, process.pid),
  });
  if (fileName === undefined) printFirstSteps(server);
  await untilStopped(server);
}

/** Drains at the first SIGTERM or SIGINT, ends at once at the second. */
async function untilStopped(server: RunningServer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let isStopping = false;
  const stop = (): void => {
    // The second one ends what is still running, and with it the wait for the first.
    if (isStopping) process.exitCode = 1;
    (isStopping ? server.kill() : server.stop()).then(resolve, reject);
    isStopping = true;
  };
  // What renews a certificate often sends this signal then, which would otherwise end the process.
  if (server.renewCertificate !== undefined) process.on("SIGHUP", server.renewCertificate);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await promise;
}

/** What somebody sees and types next who has just started a registry for the first time. */
function printFirstSteps({ origin, dataFolder }: RunningServer): void {
  const host = origin.replace(/^https?:\/\//, "");
  process.stdout.write(
    [
      "",
      `Berth listens on ${pc.bold(origin)}`,
      `The data is in   ${pc.bold(dataFolder)}`,
      `Authentication is ${pc.bold("off")}: whoever reaches this port may push and delete.`,
      "",
      "Try it:",
      `  docker tag alpine ${host}/alpine`,
      `  docker push ${host}/alpine`,
      `  curl ${origin}/v2/_catalog`,
      "",
      "",
    ].join("\n"),
  );
}
