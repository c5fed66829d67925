/**
 * The one configuration file that Berth and both versions of Distribution are started with. It
 * is the official image's, without the log line of every request, which would measure a log, and
 * without the clean-up of old uploads, which begins at a random moment and walks everything.
 */
import { join } from "node:path";
import type { StartOptions } from "./peer.ts";

export const user = { name: "bench", password: "correct horse battery staple" } as const;

export async function writeConfig(options: StartOptions, port: number): Promise<string> {
  const path = join(options.runDirectory, "config.yml");
  const auth =
    options.htpasswdFile === undefined
      ? ""
      : `auth:\n  htpasswd:\n    realm: bench\n    path: ${options.htpasswdFile}\n`;
  const durability =
    options.durability === undefined ? "" : `\n    durability: ${options.durability}`;
  await Bun.write(
    path,
    `version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${options.dataDirectory}${durability}
  cache:
    blobdescriptor: inmemory
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: 127.0.0.1:${port}
${auth}`,
  );
  return path;
}

/** Writes an htpasswd file with the user above, bcrypt at cost 10. */
export async function writeHtpasswd(path: string): Promise<void> {
  const hash = await Bun.password.hash(user.password, { algorithm: "bcrypt", cost: 10 });
  // Apache's htpasswd writes $2y$ for the same algorithm, and older servers know only that.
  await Bun.write(path, `${user.name}:${hash.replace(/^\$2b\$/, "$2y$")}\n`);
}

export function authorization(options: StartOptions): Readonly<Record<string, string>> {
  if (options.htpasswdFile === undefined) return {};
  return { authorization: `Basic ${btoa(`${user.name}:${user.password}`)}` };
}
