import { isObject, type JsonObject } from "./strict-json.ts";

/** What Berth shows of an image, from its config blob (image-spec, config). */
export interface ImageConfig {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
  /** `created`, in milliseconds since 1970: the image's claim, not a fact. */
  readonly builtAtMs?: number;
  readonly labels: Readonly<Record<string, string>>;
  /** One a layer, in the manifest's order. */
  readonly diffIds: readonly string[];
  /** The instruction that made each layer, in the manifest's order. */
  readonly instructions: readonly string[];
}

/** An instruction can be a whole script; what pages show of it is its beginning. */
const instructionLengthMax = 4096;

/** The facts in a config blob, or undefined when it is not one. Odd parts are passed over. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  const root = parseObject(bytes);
  if (root === undefined) return undefined;
  const builtAtMs = Date.parse(String(root["created"]));
  const rootfs = asObject(root["rootfs"]);
  return {
    ...stringMember(root, "os"),
    ...stringMember(root, "architecture"),
    ...stringMember(root, "variant"),
    ...(Number.isFinite(builtAtMs) && { builtAtMs }),
    labels: stringEntries(asObject(asObject(root["config"])["Labels"])),
    diffIds: asList(rootfs["diff_ids"]).map(String),
    instructions: asList(root["history"])
      .map(asObject)
      .filter((entry) => entry["empty_layer"] !== true)
      .map((entry) => textOf(entry["created_by"]).slice(0, instructionLengthMax)),
  };
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function stringMember<Key extends string>(
  object: JsonObject,
  key: Key,
): { readonly [K in Key]?: string } {
  const value = object[key];
  if (typeof value !== "string" || value === "") return {};
  const member: { [K in Key]?: string } = {};
  member[key] = value;
  return member;
}

function stringEntries(object: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, textOf(value)]));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asObject(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
