import { unreachable } from "../base/assert.ts";
import { buildConfig } from "./build.ts";
import type { Config } from "./config.ts";
import { ConfigError, type ConfigNotice } from "./config-error.ts";
import { type Decoded, decode } from "./decode.ts";
import { applyEnvironment, type Environment } from "./environment.ts";
import { quote } from "./quote.ts";
import { mapOf, type Origin, type RawMap, type RawNode, rawAt } from "./raw.ts";
import { Settings } from "./settings.ts";
import { parseYaml } from "./yaml.ts";

export interface LoadConfigOptions {
  /** The text of the configuration file; without it, Berth's own defaults. */
  readonly text?: string;
  /** For messages only. */
  readonly fileName?: string;
  readonly environment: Environment;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What is probably not meant: unknown variables, keys without effect. */
  readonly warnings: readonly ConfigNotice[];
  /** Keys that are set and not needed, and why nothing is lost. */
  readonly notices: readonly ConfigNotice[];
  /** Every value that counts, by concrete path, with its origin. Secrets are in clear. */
  readonly values: ReadonlyMap<string, Decoded>;
  readonly origins: ReadonlyMap<string, Origin>;
}

/** What Berth does when there is no file: `npm start` serves, and everything can be tried. */
const builtIn = `
version: 0.1
storage:
  filesystem:
    rootdirectory: ./data
  delete:
    enabled: true
`;

const version = "0.1";

/**
 * Reads a configuration and lays the environment over it. Pure: reading the file and the
 * process's environment is the caller's.
 *
 * @throws {ConfigError} with everything that is wrong, not only the first thing.
 */
export function loadConfig(options: LoadConfigOptions): LoadedConfig {
  const { text, fileName, environment } = options;
  const parsed = parseYaml(text ?? builtIn);
  if (parsed.node === undefined) throw new ConfigError(parsed.problems, fileName);
  const root = text === undefined ? withoutOrigin(parsed.node) : parsed.node;
  const map: RawMap | undefined =
    root.kind === "null" ? { kind: "map", entries: new Map(), origin: root.origin } : mapOf(root);
  if (map === undefined) {
    const message = "a configuration is a map of keys, and begins with version: 0.1";
    throw new ConfigError([{ origin: root.origin, message }], fileName);
  }
  const overridden = applyEnvironment(map, environment);
  const decoded = decode(overridden.root);
  const settings = new Settings(decoded);
  checkVersion(map, settings);
  const config = buildConfig(settings);
  const warnings = [...overridden.warnings, ...settings.warnings];
  const isOpen = config.auth.kind === "none" && !decoded.present.has("auth.none");
  const problems = [
    ...overridden.problems,
    ...settings.problems,
    ...(isOpen ? warnings.filter(isAboutAuth).map(openByMistake) : []),
  ];
  if (problems.length > 0) throw new ConfigError(problems, fileName);
  return {
    config,
    warnings,
    notices: decoded.notices,
    values: settings.effective,
    origins: new Map([...settings.effective].map(([path, { origin }]) => [path, origin])),
  };
}

/** True for a variable that is ignored and that meant to set something of `auth`. */
function isAboutAuth({ path, origin }: ConfigNotice): boolean {
  if (origin?.kind !== "environment") return false;
  return /^REGISTRY_AUTH(_|$)/.test(origin.name) || path?.startsWith("auth.") === true;
}

/** To ignore it would leave the registry to everybody, where Distribution does not start. */
function openByMistake(notice: ConfigNotice): ConfigNotice {
  const advice = "no authentication is chosen; set REGISTRY_AUTH=none if everybody may push";
  return { ...notice, message: `${notice.message}; ${advice}` };
}

function checkVersion(root: RawMap, settings: Settings): void {
  const node = rawAt(root, "version");
  if (node === undefined || node.kind === "null") {
    settings.problem("version", `this must be set, to ${version}`);
  } else if (settings.text("version") !== version && node.kind === "scalar") {
    settings.problem("version", `${quote(node.text)} is not known; write ${version}`);
  }
}

/** The same tree with every place being "default". */
function withoutOrigin(node: RawNode): RawNode {
  const origin: Origin = { kind: "default" };
  switch (node.kind) {
    case "scalar":
    case "null":
      return { ...node, origin };
    case "list":
      return { kind: "list", items: node.items.map(withoutOrigin), origin };
    case "map": {
      const entries = [...node.entries].map(
        ([name, { value }]) => [name, { keyOrigin: origin, value: withoutOrigin(value) }] as const,
      );
      return { kind: "map", entries: new Map(entries), origin };
    }
    default:
      return unreachable(node);
  }
}
