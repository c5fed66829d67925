import { replaceControls } from "../base/control-characters.ts";
import { describeOrigin, type Origin } from "./raw.ts";

/** Something to say about one place of the configuration, in one sentence. */
export interface ConfigNotice {
  /** The key, such as `http.addr`; absent when no key is concerned. */
  readonly path?: string;
  /** Absent when the place is not known: something is missing. */
  readonly origin?: Origin;
  readonly message: string;
}

/** Everything that is wrong with a configuration, not only the first thing. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigNotice[];

  constructor(problems: readonly ConfigNotice[], fileName?: string) {
    super(problems.map((problem) => formatNotice(problem, fileName)).join("\n"));
    this.problems = problems;
  }
}

/** One line: where, which key, what. */
export function formatNotice(notice: ConfigNotice, fileName?: string): string {
  const place = notice.origin === undefined ? fileName : describeOrigin(notice.origin, fileName);
  const parts = [place, notice.path, notice.message].filter((part) => part !== undefined);
  return replaceControls(parts.join(": "));
}
