import { messageOf } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { ConfigError, formatNotice } from "../config/config-error.ts";
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from "../config/load.ts";
import { redactedLines } from "../config/redact.ts";
import { readTlsMaterial } from "../server/tls-options.ts";

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
    const problem = tlsProblem(loaded.config);
    if (problem !== undefined) return { lines: [...said, `error: ${problem}`], exitCode: 1 };
    return {
      lines: [...said, `${options.fileName ?? "the configuration"} is fine`],
      exitCode: 0,
    };
  });
}

/**
 * `berth config show`: every value that counts and where it came from, secrets hidden. Before them
 * what was ignored: whoever looks for a value that does not count wants to know why.
 */
export function showConfig(options: LoadConfigOptions): Outcome {
  return withConfig(options, (loaded) => ({
    lines: [
      ...loaded.warnings.map((notice) => `# warning: ${formatNotice(notice, options.fileName)}`),
      ...redactedLines(loaded, options.fileName),
    ],
    exitCode: 0,
  }));
}

/** The files of `http.tls` are most of what stops a start whose configuration is right. */
function tlsProblem({ http: { tls } }: Config): string | undefined {
  if (tls === undefined) return undefined;
  try {
    readTlsMaterial(tls);
    return undefined;
  } catch (cause) {
    return messageOf(cause);
  }
}

function withConfig(
  options: LoadConfigOptions,
  render: (loaded: LoadedConfig) => Outcome,
): Outcome {
  try {
    return render(loadConfig(options));
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const lines = cause.problems.map(
      (problem) => `error: ${formatNotice(problem, options.fileName)}`,
    );
    return { lines, exitCode: 1 };
  }
}
