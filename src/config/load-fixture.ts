/** For the tests of loading: a text to begin with, and what loading says. */
import { ConfigError, type ConfigNotice, formatNotice } from "./config-error.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";

export const start = "version: 0.1\nstorage: {filesystem: {rootdirectory: /data}}\n";

export function load(text: string): LoadedConfig {
  return loadConfig({ text, fileName: "config.yml", environment: {} });
}

export function problems(text: string): readonly ConfigNotice[] {
  try {
    load(text);
  } catch (cause) {
    if (cause instanceof ConfigError) return cause.problems;
    throw cause;
  }
  return [];
}

export function problemLines(text: string): string[] {
  return problems(text).map((problem) => formatNotice(problem, "config.yml"));
}
