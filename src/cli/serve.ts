import { Command } from "commander";
import pc from "picocolors";
import { loadConfigFile } from "./config-file.ts";
import { serve } from "../server/serve.ts";

/** `berth serve [config.yml]` */
export function serveCommand(): Command {
  return new Command("serve")
    .description("serve the registry (the default for a bare config.yml)")
    .argument("[config]", "configuration file; without it, REGISTRY_CONFIGURATION_PATH or defaults")
    .action(async (path: string | undefined) => {
      const { loaded, fileName } = loadConfigFile(path);
      const server = await serve(loaded);
      if (fileName === undefined) printFirstSteps(server.origin);
      await untilStopped(server);
    });
}

/** Drains at the first SIGTERM or SIGINT, ends at once at the second. */
async function untilStopped(server: Awaited<ReturnType<typeof serve>>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) {
      void server.kill().finally(() => process.exit(1));
      return;
    }
    isStopping = true;
    void server.stop().then(resolve);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await promise;
}

/** What somebody types next who has just started a registry for the first time. */
function printFirstSteps(origin: string): void {
  const host = origin.replace(/^https?:\/\//, "");
  process.stdout.write(
    [
      "",
      pc.bold("Try it:"),
      `  docker tag alpine ${host}/alpine`,
      `  docker push ${host}/alpine`,
      `  curl ${origin}/v2/_catalog`,
      "",
      "",
    ].join("\n"),
  );
}
