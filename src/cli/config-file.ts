import { readFileSync } from "node:fs";
import { type LoadedConfig, loadConfig } from "../config/load.ts";

/** The configuration at `path`, or where REGISTRY_CONFIGURATION_PATH says, or the built-in one. */
export function loadConfigFile(path: string | undefined): {
  readonly loaded: LoadedConfig;
  /** Undefined when there is no file and the built-in defaults count. */
  readonly fileName: string | undefined;
} {
  const environment = process.env;
  const fileName = path ?? environment["REGISTRY_CONFIGURATION_PATH"];
  if (fileName === undefined) return { loaded: loadConfig({ environment }), fileName };
  let text: string;
  try {
    text = readFileSync(fileName, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the configuration cannot be read: ${why}`, { cause });
  }
  return { loaded: loadConfig({ text, fileName, environment }), fileName };
}
