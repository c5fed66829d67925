/** A part of a body: half-open, like every range inside Berth. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** More parts than any client asks for; beyond it the whole body costs less. */
const rangesMax = 16;

/**
 * The parts that a `Range` header asks of a body of `sizeBytes` (RFC 9110, 14.1.2).
 *
 * - `"whole"`: no range, another unit, or parts that add up to more than the body: answer 200.
 *   An empty body is whole too, as in Distribution 3: some clients ask for a range of everything.
 * - `"invalid"`: nothing of it can be served: answer 416.
 */
export function parseRange(
  header: string | null,
  sizeBytes: number,
): readonly ByteRange[] | "whole" | "invalid" {
  if (header === null) return "whole";
  const unit = /^\s*bytes\s*=(.*)$/i.exec(header);
  if (unit === null) return /^\s*[a-z-]+\s*=/i.test(header) ? "whole" : "invalid";
  const specs = (unit[1] ?? "").split(",").map((spec) => spec.trim());
  if (specs.length > rangesMax) return "whole";
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    if (spec === "" && specs.length > 1) continue;
    const range = parseSpec(spec, sizeBytes);
    if (range === "invalid") return "invalid";
    if (range !== undefined) ranges.push(range);
  }
  if (sizeBytes === 0) return "whole";
  if (ranges.length === 0) return "invalid";
  const asked = ranges.reduce((sum, range) => sum + range.end - range.start, 0);
  return ranges.length > 1 && asked > sizeBytes ? "whole" : ranges;
}

/** One `first-last`, `first-` or `-length`; undefined when it lies outside the body. */
function parseSpec(spec: string, sizeBytes: number): ByteRange | "invalid" | undefined {
  const match = /^(\d*)\s*-\s*(\d*)$/.exec(spec);
  if (match === null) return "invalid";
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return "invalid";
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? undefined : { start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "invalid";
  if (start >= sizeBytes) return undefined;
  return { start, end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}

/** `Content-Range` of one part. */
export function formatContentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.start}-${range.end - 1}/${sizeBytes}`;
}

/**
 * The `Content-Range` of an upload's chunk: `<start>-<end>`, both inclusive, without a unit
 * (distribution-spec end-5). The forms that HTTP would ask for, `bytes 0-5/*`, are understood too.
 *
 * Undefined when it is none of these.
 */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]) + 1;
  return end <= start ? undefined : { start, end };
}

/** The `Range` of an upload that has `offset` bytes. Docker needs `0-0` for an empty one. */
export function formatUploadRange(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}
