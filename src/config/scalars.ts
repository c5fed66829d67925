/** What a text means as a value of a type, or undefined when it is not one. Pure. */

/** The words of YAML 1.1, which Distribution's parser takes. */
export function parseBool(text: string): boolean | undefined {
  if (/^(?:y|yes|true|on)$/i.test(text)) return true;
  if (/^(?:n|no|false|off)$/i.test(text)) return false;
  return undefined;
}

export function parseInteger(text: string): number | undefined {
  if (!/^[+-]?\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

const unitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const durationPattern = /^(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)/;

/**
 * Milliseconds of a duration in Go's form: numbers with units, `1h30m`, `1.5s`; `0` needs none.
 *
 * A bare number is refused although Distribution takes it: there it means nanoseconds, which
 * nobody who writes `draintimeout: 60` has in mind.
 */
export function parseDurationMs(text: string): number | undefined {
  let rest = text.replace(/^\+/, "");
  if (rest === "0") return 0;
  let totalMs = 0;
  if (rest === "") return undefined;
  while (rest !== "") {
    const part = durationPattern.exec(rest)?.[0];
    if (part === undefined) return undefined;
    const unit = part.replace(/^[\d.]+/, "");
    totalMs += Number.parseFloat(part) * (unitsMs[unit] ?? 0);
    rest = rest.slice(part.length);
  }
  return totalMs <= Number.MAX_SAFE_INTEGER ? totalMs : undefined;
}

const unitsBytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1_024,
  kib: 1_024,
  m: 1_024 ** 2,
  mib: 1_024 ** 2,
  g: 1_024 ** 3,
  gib: 1_024 ** 3,
  kb: 1_000,
  mb: 1_000 ** 2,
  gb: 1_000 ** 3,
};

/** Bytes of `4MiB`, `64k` (1024 each), `10MB` (1000 each) or a bare number. */
export function parseBytes(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})\s*([a-zA-Z]{0,3})$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const factor = unitsBytes[unit.toLowerCase()];
  if (factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest text that means `durationMs`: `90s`, `168h`, `250ms`. */
export function formatDuration(durationMs: number): string {
  const whole = (["h", "m", "s"] as const).find(
    (unit) => durationMs > 0 && durationMs % (unitsMs[unit] ?? 1) === 0,
  );
  if (durationMs === 0) return "0s";
  return whole === undefined ? `${durationMs}ms` : `${durationMs / (unitsMs[whole] ?? 1)}${whole}`;
}

/** The shortest text that means `sizeBytes`: `4MiB`, `1000`. */
export function formatBytes(sizeBytes: number): string {
  const whole = (["GiB", "MiB", "KiB"] as const).find(
    (unit) => sizeBytes > 0 && sizeBytes % (unitsBytes[unit.toLowerCase()] ?? 1) === 0,
  );
  if (whole === undefined) return String(sizeBytes);
  return `${sizeBytes / (unitsBytes[whole.toLowerCase()] ?? 1)}${whole}`;
}
