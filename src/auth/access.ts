import { unreachable } from "../base/assert.ts";
import { type Access, formatScope } from "../oci/scope.ts";

/** What a token grants: for each resource, as `type:name`, the actions. */
export type Grants = ReadonlyMap<string, ReadonlySet<string>>;

/** The key of a resource in `Grants`. A type has no colon, so two resources never share one. */
export function resourceKey(type: string, name: string): string {
  return `${type}:${name}`;
}

/** Whether `granted` has every one of `wanted`, or the action `*`, which stands for all. */
function coversActions(
  granted: ReadonlySet<string> | undefined,
  wanted: readonly string[],
): boolean {
  if (granted === undefined) return false;
  return granted.has("*") || wanted.every((action) => granted.has(action));
}

/** Whether `grants` allow `access`. The base of the API asks for nothing beyond an identity. */
function covers(grants: Grants, access: Access): boolean {
  switch (access.kind) {
    case "base":
      return true;
    case "catalog":
      // Its scope is registry:catalog:*, so `*` is the one action that it has.
      return coversActions(grants.get("registry:catalog"), ["*"]);
    case "repository":
      return coversActions(grants.get(resourceKey("repository", access.name)), access.actions);
    default:
      return unreachable(access);
  }
}

/** Whether `grants` allow all of `accesses`. */
export function coversAll(grants: Grants, accesses: readonly Access[]): boolean {
  return accesses.every((access) => covers(grants, access));
}

/** The scope parameter of a challenge for `accesses`; undefined when they name no resource. */
export function scopeFor(accesses: readonly Access[]): string | undefined {
  const scope = formatScope(accesses);
  return scope === "" ? undefined : scope;
}
