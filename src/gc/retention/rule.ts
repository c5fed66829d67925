import { type Glob, matchesAny } from "../../base/glob.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";

/** What a rule of the configuration says. */
export interface RetentionRule {
  readonly repositories: readonly Glob[];
  /** A tag stays when one of these holds. Each is absent, or empty, when it is not asked for. */
  readonly keep: {
    readonly tags: readonly Glob[];
    readonly lastPushed?: number;
    readonly lastPerSemverMinor?: number;
    readonly pulledWithinMs?: number;
  };
  readonly protect: readonly Glob[];
  /** Absent when untagged manifests stay. */
  readonly untaggedAfterMs?: number;
}

/** A rule with its place in the configuration, from 1: how people speak of it. */
export interface NumberedRule extends RetentionRule {
  readonly number: number;
}

/** The first rule that names the repository; it decides alone. */
export function ruleFor(
  name: RepositoryName,
  rules: readonly RetentionRule[],
): NumberedRule | undefined {
  const index = rules.findIndex((rule) => matchesAny(rule.repositories, name));
  const rule = rules[index];
  return rule === undefined ? undefined : { ...rule, number: index + 1 };
}

export function hasKeepCondition({ keep }: RetentionRule): boolean {
  return hasGeneralCondition(keep) || keep.lastPerSemverMinor !== undefined;
}

/** True when a condition says something of every tag, not only of versions. */
export function hasGeneralCondition(keep: RetentionRule["keep"]): boolean {
  return keep.tags.length > 0 || keep.lastPushed !== undefined || keep.pulledWithinMs !== undefined;
}
