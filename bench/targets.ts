/**
 * What Berth is to reach, one row a comparison. A target that is missed is printed as missed
 * and fails nothing: times depend on the machine, and a benchmark is not a test.
 */

export interface Target {
  readonly work: string;
  readonly of: "value" | "serverTicks";
  /**
   * The contestant that is the measure; `best` is the best of all others; without one, the
   * bound is a plain figure in the work's unit.
   */
  readonly against?: string;
  readonly bound: "atLeast" | "atMost";
  readonly figure: number;
}

const distribution = "distribution-3";

export const targets: readonly Target[] = [
  atLeast("manifest-by-tag", distribution, 6),
  atLeast("manifest-by-tag", "nginx", 0.7),
  atLeast("head-blob", distribution, 6),
  atLeast("get-small-blob", distribution, 10),
  atLeast("api-version", distribution, 2),
  atLeast("get-large-blob", "best", 1),
  ticksAtMost("get-large-blob", 1),
  atLeast("put-large-blob-disk", distribution, 1),
  atLeast("put-large-blob-disk", "dd", 0.8),
  ticksAtMost("put-large-blob-disk", 0.7),
  atLeast("put-large-blob-tmpfs", distribution, 1.5),
  atLeast("put-large-blob-tmpfs", "sha256", 0.5),
  atLeast("manifest-htpasswd", distribution, 500),
  atLeast("tags-page", distribution, 50),
  atLeast("tags-whole", distribution, 5),
  atLeast("catalog-page", distribution, 20),
  { work: "push-small-images", of: "value", bound: "atLeast", figure: 60 },
  { work: "collect", of: "value", against: distribution, bound: "atMost", figure: 0.1 },
  slowerAtMost("collect-beside-pulls"),
  slowerAtMost("collect-beside-pulls-p99"),
  slowerAtMost("collect-beside-pushes"),
  slowerAtMost("collect-beside-pushes-p99"),
  { work: "memory", of: "value", bound: "atMost", figure: 120 },
  { work: "start", of: "value", bound: "atMost", figure: 300 },
];

function atLeast(work: string, against: string, figure: number): Target {
  return { work, of: "value", against, bound: "atLeast", figure };
}

function ticksAtMost(work: string, figure: number): Target {
  return { work, of: "serverTicks", against: distribution, bound: "atMost", figure };
}

/** In percent. */
function slowerAtMost(work: string): Target {
  return { work, of: "value", bound: "atMost", figure: 10 };
}
