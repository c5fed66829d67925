/** Names longer than this are not compared: nobody means them, and comparing is quadratic. */
const lengthMax = 120;

/**
 * The one of `names` that `name` is probably a slip of; undefined when none is close: less than
 * one letter in `lettersPerSlip` may be wrong, and of a short name one; or an ending is too much.
 */
export function nearestName(
  name: string,
  names: Iterable<string>,
  lettersPerSlip = 3,
): string | undefined {
  if (name.length > lengthMax) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.floor(name.length / lettersPerSlip) + 1;
  const candidates = [...names];
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== undefined) return best;
  // The longest beginning that both have is the closest.
  return candidates
    .filter((candidate) => isBeginning(wanted, candidate.toLowerCase()))
    .sort((one, other) => other.length - one.length)[0];
}

/** True when one is the other with an ending, as `address` is to `addr`. */
function isBeginning(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return short.length >= 4 && short.length * 2 >= long.length && long.startsWith(short);
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
