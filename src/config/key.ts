import type { RawMap, RawNode } from "./raw.ts";

/**
 * What a value has to be.
 *
 * - `duration`: a number with a unit, as Go writes them (`10s`, `5m`, `1h30m`).
 * - `bytes`: a whole number, or one with a unit (`4MiB`).
 * - `texts`, `choices`: lists; a single value stands for a list of one.
 * - `unchecked`: Berth does not use the value and does not look at it.
 */
export type KeyType =
  | "bool"
  | "int"
  | "duration"
  | "bytes"
  | "text"
  | "choice"
  | "texts"
  | "choices"
  | "unchecked";

/**
 * What becomes of something that is set.
 *
 * - `used` (when nothing is said): it works.
 * - `accepted`: Berth does not need it, and `why` says why nothing is lost. One line at the start.
 * - `refused`: it is not there, and `why` says so. The program does not start, because a registry
 *   that ignores what it was told is worse than one that stops.
 */
export interface Standing {
  readonly standing?: "accepted" | "refused";
  readonly why?: string;
  /** True when what is written asks for nothing, so that it need not stop the start. */
  readonly isIdle?: (value: RawNode, root: RawMap) => boolean;
}

/**
 * One key of the configuration. In `path`, `name[]` is a list of maps and `<name>` is a name that
 * the person chooses.
 */
export interface Key extends Standing {
  readonly path: string;
  readonly type: KeyType;
  /** As it would be written in YAML; absent when there is none. */
  readonly default?: string;
  /** For people, where the default depends on another key. */
  readonly defaultProse?: string;
  /** Of a `choice` or `choices`, in lower case; compared without regard to case. */
  readonly values?: readonly string[];
  /** Least value of a number, in milliseconds or bytes where it is a duration or a size. */
  readonly min?: number;
  readonly max?: number;
  /** One or more sentences for the reference. */
  readonly prose: string;
  /** Never shown, neither in `berth config show` nor in an error. */
  readonly isSecret?: true;
  /** A value to show in the example file, where there is no default. YAML. */
  readonly example?: string;
  /** A name to show there in the place of `<name>`. */
  readonly exampleName?: string;
  /** What was made from a section's `members`. */
  readonly isMember?: true;
}

/** A level of the configuration: a map of keys, or with `[]` a list of such maps. */
export interface Section extends Standing {
  readonly path: string;
  readonly prose: string;
  /**
   * A map in Distribution, not a struct: the environment finds its keys without regard to case.
   * Holds for everything below too.
   */
  readonly isMap?: true;
  /** The segment that an environment variable uses, where it is not the key in upper case. */
  readonly goName?: string;
  /** A segment that an environment variable may carry here without meaning. */
  readonly inlined?: string;
  /** True where a single word stands for a map with that one key: `storage: inmemory`. */
  readonly isNameable?: true;
  /** Keys that Berth knows by name only; each becomes an `unchecked` key. */
  readonly members?: readonly string[];
}
