import type { RetentionPlan } from "../../gc/retention/plan.ts";
import { describeManifestReason, describeTagReason } from "../../gc/retention/reason.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { repositoryNamed } from "./names.ts";
import { whenAdopted } from "./progress.ts";
import { countText } from "./text.ts";

/** `berth retention preview [REPO]`: what a run would do now, and what decides each tag. */
export async function retentionPreview(
  parts: CommandParts,
  args: CommandArguments,
): Promise<ExitCode> {
  const { print, retention, signal } = parts;
  await whenAdopted(parts);
  if (!sayIfNoRules(parts)) return 0;
  const only = await repositoryIn(parts, args);
  const totals: Totals = { tagsStay: 0, tagsGo: 0, manifestsStay: 0, manifestsGo: 0 };
  let count = 0;
  for await (const name of only === undefined ? retention.repositories() : [only]) {
    if (signal.aborted) return 1;
    const plan = await retention.plan(name);
    count += 1;
    if (plan === "frozen") {
      print(`${name}: everything stays, because something of it cannot be read (berth gc status)`);
      continue;
    }
    for (const line of linesOf(plan, totals)) print(line);
  }
  print(
    `${countText(count, "repository")}; tags: ${totals.tagsStay} stay, ${totals.tagsGo} to go; ` +
      `manifests without a tag: ${totals.manifestsStay} stay, ${totals.manifestsGo} to go`,
  );
  return 0;
}

interface Totals {
  tagsStay: number;
  tagsGo: number;
  manifestsStay: number;
  manifestsGo: number;
}

/** Longer tags, such as those of signatures, do not widen the column. */
const tagWidthMax = 32;

function linesOf(plan: RetentionPlan, totals: Totals): readonly string[] {
  const { repository, rule, tags, manifests } = plan;
  const tagsGo = tags.filter(({ isKept }) => !isKept).length;
  const manifestsGo = manifests.filter(({ isKept }) => !isKept).length;
  totals.tagsGo += tagsGo;
  totals.tagsStay += tags.length - tagsGo;
  totals.manifestsGo += manifestsGo;
  totals.manifestsStay += manifests.length - manifestsGo;
  if (rule === undefined) {
    return [`${repository}: no rule names it (${countText(tags.length, "tag")})`, ""];
  }
  const widths = tags.map(({ tag }) => tag.length).filter((width) => width <= tagWidthMax);
  const width = Math.max(0, ...widths);
  return [
    `${repository}: rule ${rule.number} (${rule.repositories.map(({ text }) => text).join(", ")})`,
    ...tags.map(({ tag, isKept, reason }) => {
      const what = isKept ? "stays" : "goes ";
      return `  ${what}  ${tag.padEnd(width)}  ${describeTagReason(reason)}`;
    }),
    ...manifests.flatMap(({ digest, kind, isKept, reason }) => {
      // The images of an index have no tags and are not what anybody looks for here.
      if (reason.kind === "reached" || reason.kind === "untaggedStay") return [];
      const what = isKept ? "stays" : "goes ";
      return [`  ${what}  ${digest} (${kind})  ${describeManifestReason(reason)}`];
    }),
    "",
  ];
}

/**
 * `berth retention run [REPO]`: carries the rules out now, as fast as it goes.
 *
 * @throws {RegistryError} `readOnly`
 */
export async function retentionRun(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { print, retention, signal } = parts;
  refuseWhenReadOnly(parts);
  await whenAdopted(parts);
  if (!sayIfNoRules(parts)) return 0;
  const only = await repositoryIn(parts, args);
  const result = await retention.run({
    signal,
    isFull: true,
    ...(only !== undefined && { only }),
    say: ({ repository, kind, reference }) =>
      print(`deleted  ${repository}${kind === "tag" ? ":" : "@"}${reference}`),
  });
  if (result.halted !== undefined) print(`nothing more: ${result.halted}`);
  if (result.changed > 0) {
    print(`${result.changed} changed before their turn came, and stay`);
  }
  if (result.frozen > 0) {
    const frozen = countText(result.frozen, "repository");
    print(`${frozen} left alone, because something cannot be read (berth gc status)`);
  }
  if (result.failed > 0) print(`${countText(result.failed, "repository")} failed; see the log`);
  print(
    `${countText(result.deletedTags, "tag")} and ` +
      `${countText(result.deletedManifests, "manifest")} deleted ` +
      `in ${countText(result.repositories, "repository")} that a rule names`,
  );
  return result.halted === undefined && result.failed === 0 ? 0 : 1;
}

function sayIfNoRules({ print, retention }: CommandParts): boolean {
  if (retention.hasRules) return true;
  print("there are no rules, so nothing is ever deleted (retention.rules in the configuration)");
  return false;
}

/** @throws {Error} when there is no such repository. */
async function repositoryIn(
  { opened }: CommandParts,
  args: CommandArguments,
): Promise<RepositoryName | undefined> {
  const text = args.optionalText("repository");
  if (text === undefined) return undefined;
  const name = repositoryNamed(text);
  if (await opened.metadata.hasRepository(name)) return name;
  throw new Error(`there is no repository ${name}`);
}
