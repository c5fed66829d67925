/** Names longer than this are not compared: nobody means them, and comparing is quadratic. */
const lengthMax = 120;

/** The one of `names` that `name` is probably a slip of; undefined when none is close. */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  if (name.length > lengthMax) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  // A third of the letters may be wrong; of a short name, one.
  let bestDistance = Math.floor(name.length / 3) + 1;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
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
