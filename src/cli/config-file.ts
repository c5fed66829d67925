import { readFileSync } from "node:fs";
import { messageOf } from "../base/errors.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";

/** The file to read: `path`, or where REGISTRY_CONFIGURATION_PATH says; undefined for neither. */
export function configFileName(path: string | undefined): string | undefined {
  return path ?? process.env["REGISTRY_CONFIGURATION_PATH"];
}

/** The configuration in that file, or the built-in one, with the environment laid over it. */
export function loadConfigFile(path: string | undefined): {
  readonly loaded: LoadedConfig;
  /** Undefined when there is no file and the built-in defaults count. */
  readonly fileName: string | undefined;
} {
  const environment = process.env;
  const fileName = configFileName(path);
  if (fileName === undefined) return { loaded: loadConfig({ environment }), fileName };
  const text = readConfigFile(fileName);
  return { loaded: loadConfig({ text, fileName, environment }), fileName };
}

/** @throws {Error} that names the file, when it is not there or may not be read. */
export function readConfigFile(fileName: string): string {
  try {
    return readFileSync(fileName, "utf8");
  } catch (cause) {
    throw new Error(`the configuration ${fileName} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
