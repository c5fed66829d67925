import { ConfigError, formatNotice } from "../config/config-error.ts";
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from "../config/load.ts";
import { redactedLines } from "../config/redact.ts";

/** What a command prints and ends with. */
export interface Outcome {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

/** `berth config check`: everything that is wrong, warned of or not needed; 1 when it cannot start. */
export function checkConfig(options: LoadConfigOptions): Outcome {
  return withConfig(options, (loaded) => {
    const said = [
      ...loaded.warnings.map((notice) => `warning: ${formatNotice(notice, options.fileName)}`),
      ...loaded.notices.map((notice) => `not needed: ${formatNotice(notice, options.fileName)}`),
    ];
    return [...said, `${options.fileName ?? "the configuration"} is fine`];
  });
}

/**
 * `berth config show`: every value that counts and where it came from, secrets hidden. Before them
 * what was ignored: whoever looks for a value that does not count wants to know why.
 */
export function showConfig(options: LoadConfigOptions): Outcome {
  return withConfig(options, (loaded) => [
    ...loaded.warnings.map((notice) => `# warning: ${formatNotice(notice, options.fileName)}`),
    ...redactedLines(loaded, options.fileName),
  ]);
}

function withConfig(
  options: LoadConfigOptions,
  render: (loaded: LoadedConfig) => readonly string[],
): Outcome {
  try {
    return { lines: render(loadConfig(options)), exitCode: 0 };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const lines = cause.problems.map(
      (problem) => `error: ${formatNotice(problem, options.fileName)}`,
    );
    return { lines, exitCode: 1 };
  }
}
