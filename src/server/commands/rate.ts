import type { CommandArguments } from "./command.ts";

/**
 * Bytes a second, from the megabytes that a person gives with `--rate`; undefined without it.
 *
 * @throws {Error} with a sentence.
 */
export function rateIn(args: CommandArguments): number | undefined {
  const text = args.optionalText("rate");
  if (text === undefined) return undefined;
  const megabytes = Number(text);
  if (!(megabytes > 0)) throw new Error(`${text} is no rate: give megabytes a second, such as 100`);
  return megabytes * 1e6;
}
