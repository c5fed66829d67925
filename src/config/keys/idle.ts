import { isRawEmpty, type RawNode, rawAt } from "../raw.ts";
import { parseBool } from "../scalars.ts";

/** True when every item of the list says `disabled: true`, or there is none. */
export function isEveryItemDisabled(node: RawNode): boolean {
  if (node.kind !== "list") return isRawEmpty(node);
  return node.items.every((item) => isSwitchedOn(rawAt(item, "disabled")));
}

/** True when nothing is said, or `false`. */
export function isEmptyOrFalse(node: RawNode): boolean {
  return isRawEmpty(node) || !isSwitchedOn(node);
}

function isSwitchedOn(node: RawNode | undefined): boolean {
  return node?.kind === "scalar" && parseBool(node.text) === true;
}
