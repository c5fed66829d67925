import { type Glob, parseGlob } from "../base/glob.ts";
import type { ImmutableTagsConfig, RetentionConfig, RetentionRuleConfig } from "./config.ts";
import { quote } from "./quote.ts";
import type { Settings } from "./settings.ts";

const untaggedAfterMsMin = 3_600_000;

export function buildRetention(settings: Settings): RetentionConfig {
  const count = settings.length("retention.rules");
  const rules = Array.from({ length: count }, (_, index) => buildRule(settings, index));
  warnOfIdleRules(settings, rules);
  return {
    intervalMs: settings.number("retention.interval"),
    deletionsPerSecond: settings.number("retention.deletionspersecond"),
    rules,
  };
}

/** A rule below another one for the same repositories was meant to do something, and never will. */
function warnOfIdleRules(settings: Settings, rules: readonly RetentionRuleConfig[]): void {
  for (const [index, { repositories }] of rules.entries()) {
    const before = rules.slice(0, index).flatMap((rule) => rule.repositories);
    if (repositories.length === 0 || !repositories.every((glob) => isTaken(glob, before))) continue;
    const names = repositories.map((glob) => quote(glob.text)).join(", ");
    settings.warning(
      `retention.rules[${index}]`,
      "the rule never applies: the first rule that names a repository decides, and rules before " +
        `it name ${names} too`,
    );
  }
}

/** True when whatever `glob` matches is certain to match one of `others`. */
function isTaken(glob: Glob, others: readonly Glob[]): boolean {
  const isName = !/[*?[\]{}]/.test(glob.text);
  return others.some(
    (other) =>
      other.text === glob.text || other.text === "**" || (isName && other.matches(glob.text)),
  );
}

function buildRule(settings: Settings, index: number): RetentionRuleConfig {
  const at = `retention.rules[${index}]`;
  const lastPushed = settings.number("retention.rules[].keep.lastpushed", index);
  const lastPerMinor = settings.number("retention.rules[].keep.lastpersemverminor", index);
  const pulledWithinMs = settings.number("retention.rules[].keep.pulledwithin", index);
  const untaggedAfterMs = settings.number("retention.rules[].untaggedafter", index);
  const tags = buildGlobs(settings, "retention.rules[].keep.tags", index);
  if (untaggedAfterMs > 0 && untaggedAfterMs < untaggedAfterMsMin) {
    settings.problem(
      `${at}.untaggedafter`,
      "this is less than 1h: a manifest that is being pushed has no tag for a while",
    );
  }
  if (lastPushed + lastPerMinor + pulledWithinMs + tags.length + untaggedAfterMs === 0) {
    settings.warning(at, "the rule deletes nothing: it has neither keep nor untaggedafter");
  }
  return {
    repositories: requiredGlobs(settings, "retention.rules[].repositories", index),
    keep: {
      tags,
      ...(lastPushed > 0 && { lastPushed }),
      ...(lastPerMinor > 0 && { lastPerSemverMinor: lastPerMinor }),
      ...(pulledWithinMs > 0 && { pulledWithinMs }),
    },
    protect: buildGlobs(settings, "retention.rules[].protect", index),
    ...(untaggedAfterMs > 0 && { untaggedAfterMs }),
  };
}

export function buildImmutableTags(settings: Settings): readonly ImmutableTagsConfig[] {
  return Array.from({ length: settings.length("immutabletags") }, (_, index) => ({
    repositories: requiredGlobs(settings, "immutabletags[].repositories", index),
    tags: requiredGlobs(settings, "immutabletags[].tags", index),
    except: buildGlobs(settings, "immutabletags[].except", index),
  }));
}

type GlobsPath = Extract<Parameters<Settings["texts"]>[0], `${string}[].${string}`>;

function requiredGlobs(settings: Settings, path: GlobsPath, index: number): readonly Glob[] {
  if (settings.texts(path, index).length === 0) {
    settings.problem(path.replace("[]", `[${index}]`), "this must be set");
  }
  return buildGlobs(settings, path, index);
}

function buildGlobs(settings: Settings, path: GlobsPath, index: number): readonly Glob[] {
  return settings.texts(path, index).flatMap((text) => {
    const glob = parseGlob(text);
    if (!("wrong" in glob)) return [glob];
    const at = path.replace("[]", `[${index}]`);
    settings.problem(at, `${quote(text)} is not a pattern: ${glob.wrong}`);
    return [];
  });
}
