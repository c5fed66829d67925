import { compare, parse } from "semver";

/** A tag that is a whole version of Semantic Versioning: `1.2.3`, `v1.2.3-rc.1`. */
interface VersionOf<T> {
  readonly item: T;
  /** In the form that compares equal: `v1.2.3` and `1.2.3` are one version. */
  readonly version: string;
  /** What is counted together: the minor version, and the kind of suffix if there is one. */
  readonly line: string;
}

/** The place of a version among the newest of its line, from 1. */
export interface VersionPlace {
  readonly line: string;
  readonly place: number;
}

/**
 * Counts versions in each minor version, the newest first; what is no version is left out.
 *
 * Suffixes are counted apart by their first word, so that neither `1.2.4-rc.1` nor
 * `1.2.3-alpine` takes the place of `1.2.3`. Tags that spell one version share a place.
 */
export function versionPlaces<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
): ReadonlyMap<T, VersionPlace> {
  const versions = items.flatMap((item) => versionOf(item, nameOf(item)));
  const places = new Map<T, VersionPlace>();
  for (const [line, group] of Map.groupBy(versions, (version) => version.line)) {
    group.sort((a, b) => compare(b.version, a.version));
    let place = 0;
    let last: string | undefined;
    for (const { item, version } of group) {
      if (version !== last) place += 1;
      last = version;
      places.set(item, { line, place });
    }
  }
  return places;
}

function versionOf<T>(item: T, name: string): readonly VersionOf<T>[] {
  const parsed = parse(name);
  if (parsed === null) return [];
  const { major, minor, prerelease, version } = parsed;
  const word = /^[A-Za-z-]*/.exec(String(prerelease[0] ?? ""))?.[0].replace(/-+$/, "") ?? "";
  const suffix = prerelease.length === 0 ? "" : `-${word === "" ? "0" : word}`;
  return [{ item, version, line: `${major}.${minor}${suffix}` }];
}
