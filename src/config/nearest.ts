/** Names longer than this are not compared: nobody means them, and comparing is quadratic. */
const lengthMax = 120;

/**
 * The one of `names` that `name` is probably a slip of; undefined when none is close: less than
 * one letter in `lettersPerSlip` may be wrong, and of a short name one; or an ending is missing or
 * too much.
 */
export function nearestName(
  name: string,
  names: Iterable<string>,
  lettersPerSlip = 3,
): string | undefined {
  if (name.length > lengthMax) return undefined;
  const wanted = name.toLowerCase();
  const candidates = [...names];
  const slips = Math.floor(name.length / lettersPerSlip);
  return (
    closest(wanted, candidates, 1) ??
    longest(candidates.filter((candidate) => isBeginning(wanted, candidate.toLowerCase()))) ??
    closest(wanted, candidates, slips) ??
    longest(candidates.filter((candidate) => isBeginning(candidate.toLowerCase(), wanted)))
  );
}

/** The one that `distanceMax` letters or fewer turn into `wanted`, by the fewest. */
function closest(
  wanted: string,
  candidates: readonly string[],
  distanceMax: number,
): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(distanceMax, wanted.length - 1) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** True when `whole` is `beginning` with an ending, as `certificate` is to `cert`. */
function isBeginning(beginning: string, whole: string): boolean {
  return beginning.length >= 3 && beginning.length < whole.length && whole.startsWith(beginning);
}

/** The longest beginning that both have is the closest. */
function longest(candidates: readonly string[]): string | undefined {
  return candidates.toSorted((one, other) => other.length - one.length)[0];
}

/** The number of letters to insert, delete or replace to turn one text into the other. */
function editDistance(before: string, after: string): number {
  let row = Array.from({ length: after.length + 1 }, (_, index) => index);
  for (let i = 1; i <= before.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= after.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (before[i - 1] === after[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[after.length] ?? 0;
}
