let isWatched = false;

/**
 * One line on standard output. Who has closed it (`| head -1`) has seen enough: the command goes
 * on, and ends as it would have.
 */
export function printLine(line: string): void {
  if (!isWatched) {
    isWatched = true;
    process.stdout.on("error", (error) => {
      if (!("code" in error) || error.code !== "EPIPE") throw error;
    });
  }
  process.stdout.write(`${line}\n`);
}
