/**
 * The servers that share the large data set. They are started once for all works that ask for
 * the same authentication, and stay up side by side: an idle server costs
 * nothing, and every measurement finds them warm.
 */
import { existsSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset } from "./dataset.ts";
import { copyTree } from "./dataset.ts";
import { writeHtpasswd } from "./peers/config.ts";
import type { Peer, Server } from "./peers/peer.ts";
import { waitForAnswer } from "./peers/peer.ts";
import type { Settings } from "./settings.ts";

type Profile = "anonymous" | "htpasswd";

export class ServerPool {
  readonly #settings: Settings;
  readonly #dataset: Dataset;
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #fresh = new Set<string>();
  #profile: Profile | undefined;
  readonly #servers = new Map<string, Server>();

  constructor(settings: Settings, dataset: Dataset, peers: ReadonlyMap<string, Peer>) {
    this.#settings = settings;
    this.#dataset = dataset;
    this.#peers = peers;
  }

  /** The running server of a contestant, started and settled now when it is not. */
  async use(name: string, profile: Profile): Promise<Server> {
    if (this.#profile !== profile) await this.stop();
    this.#profile = profile;
    const running = this.#servers.get(name);
    if (running !== undefined) return running;

    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`${name} is not a server`);
    const runDirectory = this.runDirectory(name);
    const htpasswdFile = join(runDirectory, "htpasswd");
    if (profile === "htpasswd") await writeHtpasswd(htpasswdFile);
    const server = await peer.start({
      dataDirectory: await this.treeFor(name),
      runDirectory,
      ...(profile === "htpasswd" ? { htpasswdFile } : {}),
    });
    this.#servers.set(name, server);
    await waitForAnswer(server);
    await peer.settle?.(server);
    return server;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map(async (server) => server.stop()));
    this.#servers.clear();
    this.#profile = undefined;
  }

  /**
   * The directory that a contestant serves. Serving changes nothing in it, so Distribution takes
   * the data set itself; who keeps something beside the layout has a copy, which is kept for
   * later runs (making one takes longer than most measurements) and forgotten once a run.
   */
  async treeFor(name: string): Promise<string> {
    const forget = this.#peers.get(name)?.forget;
    if (forget === undefined) return this.#dataset.treeDirectory;
    const copy = `${this.#dataset.treeDirectory}-${name}`;
    if (!existsSync(copy)) await copyTree(this.#dataset, copy);
    if (!this.#fresh.has(name)) await forget(copy);
    this.#fresh.add(name);
    return copy;
  }

  runDirectory(name: string): string {
    const directory = join(this.#settings.workDirectory, "run", name);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  async removeRuns(): Promise<void> {
    await rm(join(this.#settings.workDirectory, "run"), { recursive: true, force: true });
  }
}
