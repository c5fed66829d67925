/**
 * The image in which the container image is built, in the place of `node:24-bookworm-slim`: a
 * minimal Debian with this machine's own Node and npm, and what they need to reach npm's registry.
 */
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { debianRoot } from "./images.ts";
import { run } from "./processes.ts";

/** Root of the file system, and the variables that its programs want. */
export interface NodeImage {
  readonly root: string;
  readonly variables: Readonly<Record<string, string>>;
}

export async function nodeImage(): Promise<NodeImage> {
  const root = await debianRoot();
  const node = await run(["node", "--print", "process.execPath"]);
  copyInto(root, node, "/usr/bin/node");
  for (const library of await librariesOf(node)) {
    // Debian's own stay: the C library and its loader belong together.
    if (!existsSync(join(root, library))) copyInto(root, library, library);
  }
  const npm = join(await run(["npm", "root", "--global"]), "npm");
  copyInto(root, npm, "/usr/lib/node_modules/npm");
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", join(root, "usr/bin/npm"));
  copyInto(root, "/etc/ssl/certs", "/etc/ssl/certs");
  copyInto(root, "/usr/share/ca-certificates", "/usr/share/ca-certificates");
  return { root, variables: await npmVariables(root) };
}

function copyInto(root: string, source: string, target: string): void {
  if (!existsSync(source)) return;
  const path = join(root, target);
  mkdirSync(dirname(path), { recursive: true });
  // Links are followed: what they lead to may lie elsewhere on this machine.
  cpSync(source, path, { recursive: true, dereference: true, force: true });
}

async function librariesOf(program: string): Promise<readonly string[]> {
  const listed = await run(["ldd", program]);
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}

/** Where npm finds its packages, and whose certificates it believes: as on this machine. */
async function npmVariables(root: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {
    npm_config_registry: await run(["npm", "config", "get", "registry"]),
  };
  const authorities = process.env["NODE_EXTRA_CA_CERTS"];
  if (authorities !== undefined) {
    copyInto(root, authorities, "/etc/npm-authorities.crt");
    variables["NODE_EXTRA_CA_CERTS"] = "/etc/npm-authorities.crt";
  }
  return variables;
}
