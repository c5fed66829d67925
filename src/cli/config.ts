import { fileExists } from "../auth/watched-file.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf, reasonsOf } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { ConfigError, formatNotice } from "../config/config-error.ts";
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from "../config/load.ts";
import { redactedLines } from "../config/redact.ts";
import { authenticatorFor } from "../server/open-authenticator.ts";
import { readTlsMaterial } from "../server/tls-options.ts";

/** What a command prints and ends with. */
export interface Outcome {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

/** `berth config check`: everything that is wrong, warned of or not needed; 1 when it cannot start. */
export async function checkConfig(options: LoadConfigOptions): Promise<Outcome> {
  return withConfig<Outcome | Promise<Outcome>>(options, async (loaded) => {
    const said = [
      ...loaded.warnings.map((notice) => `warning: ${formatNotice(notice, options.fileName)}`),
      ...loaded.notices.map((notice) => `not needed: ${formatNotice(notice, options.fileName)}`),
    ];
    const warn = (text: string): void => void said.push(`warning: ${text}`);
    const problems = [tlsProblem(loaded.config), await authProblem(loaded.config, warn)];
    const errors = problems.flatMap((problem) =>
      problem === undefined ? [] : `error: ${problem}`,
    );
    if (errors.length > 0) return { lines: [...said, ...errors], exitCode: 1 };
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

/** The password file and the keys of tokens, read as the start reads them; nothing is made. */
async function authProblem(
  { auth }: Config,
  warn: (text: string) => void,
): Promise<string | undefined> {
  const logger: Logger = {
    ...silentLogger,
    warn: (message, { line, why } = {}) => {
      const where = typeof line === "number" ? `: line ${line}` : "";
      warn(`${message}${where}${typeof why === "string" ? `: ${why}` : ""}`);
    },
  };
  try {
    if (auth.kind === "htpasswd" && !fileExists(auth.path)) {
      warn(
        `auth.htpasswd.path: there is no ${auth.path}; the start makes it, with a user docker and a ` +
          "random password that the log has once",
      );
      return undefined;
    }
    await authenticatorFor(auth, { clock: systemClock, random: systemRandom, logger });
    return undefined;
  } catch (cause) {
    return reasonsOf(cause);
  }
}

function withConfig<T>(
  options: LoadConfigOptions,
  render: (loaded: LoadedConfig) => T,
): T | Outcome {
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
