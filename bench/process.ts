/** Child processes: the ones that must succeed, and how to find a program. */

/** Runs a command to its end and returns its standard output. Throws when it fails. */
export async function run(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const code = await child.exited;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${complaint.trim()}`);
  return output;
}

/** The path of an installed program; Debian keeps some of them outside a user's PATH. */
export function findProgram(name: string): string | undefined {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/go/bin`;
  return Bun.which(name, { PATH: path }) ?? undefined;
}
