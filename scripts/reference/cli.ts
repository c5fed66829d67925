import type { Command } from "commander";
import { createProgram } from "../../src/cli/command-line.ts";

/** Columns of the help as it stands in the document; a terminal has its own width. */
const helpWidth = 96;

/** `docs/reference/cli.md`: the help of every command, as the program prints it. */
export function renderCommands(): string {
  const program = createProgram({ code: 0 });
  return [introduction, ...withSubcommands(program, []).map(renderCommand)].join("\n");
}

const introduction = `# Commands

<!-- Rendered from src/cli/command-line.ts by \`npm run docs\`; edit it there. -->

In a clone without the executable, \`node scripts/run.mjs src/main.ts\` stands for \`berth\`.

A command ends with 0 when it did what was asked, with 1 when the answer is no, and with 1 or 2 when
it could not be done. What goes wrong is said on standard error. \`serve\` stops at the first SIGTERM or SIGINT after the requests that are under way
(\`http.draintimeout\`), and at once at the second.
`;

interface NamedCommand {
  readonly words: readonly string[];
  readonly command: Command;
}

function withSubcommands(command: Command, above: readonly string[]): readonly NamedCommand[] {
  const words = [...above, command.name()];
  const below = command.commands.flatMap((child) => withSubcommands(child, words));
  return [{ words, command }, ...below];
}

function renderCommand({ words, command }: NamedCommand): string {
  command.configureHelp({ helpWidth });
  command.configureOutput({ getOutHasColors: () => false });
  const help = command.helpInformation().trimEnd();
  return `## \`${words.join(" ")}\`\n\n\`\`\`text\n${help}\n\`\`\`\n`;
}
