import type { CommandParts, ExitCode } from "./command.ts";

/** `berth health`: whether the registry takes pushes and pulls. What readiness says, by name. */
export async function sayHealth({
  health,
  print,
}: Pick<CommandParts, "health" | "print">): Promise<ExitCode> {
  if (health === undefined) {
    print("no registry is served here");
    return 1;
  }
  const problems = Object.entries(health.problems());
  if (problems.length === 0) print("the registry is well");
  for (const [check, problem] of problems) print(`${check}: ${problem}`);
  return problems.length === 0 ? 0 : 1;
}
