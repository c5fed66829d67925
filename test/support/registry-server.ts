/**
 * The server under test: Berth from these sources, or Debian's CNCF Distribution, behind one
 * interface, so that a test can be proved on the program that Berth replaces.
 *
 * `TEST_REGISTRY=distribution` turns every system test to Distribution.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePort, startDaemon } from "./processes.ts";
import { removeFolder, temporaryFolder } from "./run-folder.ts";

export type RegistryKind = "berth" | "distribution";

/** Sections of Distribution's configuration file. */
export type RegistryConfig = Readonly<Record<string, unknown>>;

export interface RegistryOptions {
  readonly kind?: RegistryKind;
  /** Merged over the defaults of `configuration`, section by section. */
  readonly config?: RegistryConfig;
  readonly env?: Readonly<Record<string, string>>;
  /** The root directory; without it a new one, which goes when the server is stopped. */
  readonly dataFolder?: string;
  /** Where the base of the API is, with `http.prefix`. */
  readonly readyPath?: string;
  /** The certificate that signs the server's, in PEM, where the server speaks TLS. */
  readonly authority?: string;
}

export interface RegistryServer {
  readonly kind: RegistryKind;
  /** `127.0.0.1:port` */
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:port`, or `https://` with TLS. */
  readonly origin: string;
  readonly dataFolder: string;
  log(): string;
  stop(): Promise<void>;
}

export const kindUnderTest: RegistryKind =
  process.env["TEST_REGISTRY"] === "distribution" ? "distribution" : "berth";

const projectFolder = join(import.meta.dir, "..", "..");

export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryServer> {
  const kind = options.kind ?? kindUnderTest;
  const work = temporaryFolder(kind);
  const dataFolder = options.dataFolder ?? join(work, "data");
  mkdirSync(dataFolder, { recursive: true });
  const port = freePort();
  const host = `127.0.0.1:${port}`;
  const config = configuration({ dataFolder, host, config: options.config ?? {} });
  const file = join(work, "config.yml");
  writeFileSync(file, stringify(config));

  const origin = `${"tls" in config["http"] ? "https" : "http"}://${host}`;
  const daemon = await startDaemon({
    name: kind,
    command:
      kind === "berth"
        ? [process.execPath, join(projectFolder, "src", "main.ts"), "serve", file]
        : ["/usr/bin/docker-registry", "serve", file],
    env: { OTEL_TRACES_EXPORTER: "none", ...options.env },
    isReady: async () => answers(`${origin}${options.readyPath ?? "/v2/"}`, options.authority),
  });
  return {
    kind,
    host,
    port,
    origin,
    dataFolder,
    log: () => daemon.log(),
    stop: async () => {
      await daemon.stop();
      removeFolder(work);
    },
  };
}

/** Runs a command of the registry's program that is not a server, such as garbage-collect. */
export function registryCommand(kind: RegistryKind, args: readonly string[]): string[] {
  return kind === "berth"
    ? [process.execPath, join(projectFolder, "src", "main.ts"), ...args]
    : ["/usr/bin/docker-registry", ...args];
}

interface Configuration extends Record<string, unknown> {
  readonly http: Readonly<Record<string, unknown>>;
}

export function configuration(facts: {
  readonly dataFolder: string;
  readonly host: string;
  readonly config: RegistryConfig;
}): Configuration {
  const { config } = facts;
  return {
    version: "0.1",
    log: { level: "info" },
    ...config,
    storage: {
      filesystem: { rootdirectory: facts.dataFolder },
      delete: { enabled: true },
      ...section(config, "storage"),
    },
    http: { addr: facts.host, ...section(config, "http") },
  };
}

function section(config: RegistryConfig, name: string): Readonly<Record<string, unknown>> {
  const value = config[name];
  return typeof value === "object" && value !== null ? { ...value } : {};
}

async function answers(url: string, authority: string | undefined): Promise<boolean> {
  const tls = authority === undefined ? {} : { tls: { ca: authority } };
  // A registry that asks for credentials is ready too.
  return fetch(url, { ...tls, redirect: "manual" }).then(
    (answer) => answer.status < 500,
    () => false,
  );
}
