import picomatch from "picomatch";
import { messageOf } from "./errors.ts";

/** A pattern for names whose parts are joined by `/`: `team/*`, `v1.*`, `{main,release-*}`. */
export interface Glob {
  /** As it was written. */
  readonly text: string;
  /** True when the whole of `name` matches; by letter, also upper and lower case. */
  readonly matches: (name: string) => boolean;
}

/** Longer than any name; a limit on what has to be compiled. */
const globLengthMax = 512;

/**
 * The glob that `text` spells, or why it is none. `*` is any text without `/`, `**` any text,
 * `?` one character, `[a-c]` one of these, `{a,b}` one of these texts.
 *
 * A leading `!` is refused: read as "everything but", it would turn a rule that deletes a little
 * into one that deletes nearly everything.
 */
export function parseGlob(text: string): Glob | { readonly wrong: string } {
  if (text === "") return { wrong: "it is empty" };
  if (text.length > globLengthMax)
    return { wrong: `it is longer than ${globLengthMax} characters` };
  if (text.startsWith("!"))
    return { wrong: "it starts with !, and no pattern can be turned round" };
  try {
    // No special meaning for a dot at the beginning, and none for brackets that do not close.
    const matches = picomatch(text, {
      dot: true,
      nonegate: true,
      noextglob: true,
      strictBrackets: true,
      windows: false,
    });
    return { text, matches: (name) => matches(name) };
  } catch (cause) {
    return { wrong: messageOf(cause) };
  }
}

/** Matches every name. */
export const everything: Glob = { text: "**", matches: () => true };

/** True when one of `globs` matches. */
export function matchesAny(globs: readonly Glob[], name: string): boolean {
  return globs.some((glob) => glob.matches(name));
}
