import type { Restored, RestoreOptions } from "../../registry/undo.ts";
import { actorIn } from "./actor.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { type Named, parseNamed } from "./names.ts";
import { countedEvery, listedMax, nameText } from "./text.ts";

/** `berth restore REPO[:TAG][@DIGEST]`: takes a move or a deletion back. */
export async function restore(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const named = parseNamed(args.text("name"));
  const restored = await restoreNamed(named, parts, restoreOptionsIn(parts, args));
  if (restored.length > 0 || parts.signal.aborted) return sayRestored(restored, parts);
  parts.print(
    `${named.repository} was not deleted as a whole, or its time in the trash is over; ` +
      `berth trash ls ${named.repository} lists what there is`,
  );
  return 1;
}

/** @throws {RegistryError} `readOnly` */
export function restoreOptionsIn(parts: CommandParts, args: CommandArguments): RestoreOptions {
  refuseWhenReadOnly(parts);
  const { signal, print } = parts;
  let count = 0;
  const onRestored = (): void => {
    count += 1;
    if (count % countedEvery === 0) print(`${count} names so far`);
  };
  const actor = actorIn(args, "berth restore");
  return { actor, isForced: args.flag("force"), signal, onRestored };
}

async function restoreNamed(
  { repository, tag, digest }: Named,
  { opened }: CommandParts,
  options: RestoreOptions,
): Promise<readonly Restored[]> {
  const { undo, adoption } = opened.registry;
  await adoption.adopt(repository);
  if (tag !== undefined) return [await undo.restoreTag(repository, { tag, digest }, options)];
  return digest === undefined
    ? undo.restoreRepository(repository, options)
    : undo.restoreManifest(repository, digest, options);
}

/** 1 when something of it could not be brought back. */
export function sayRestored(
  restored: readonly Restored[],
  { print, signal }: CommandParts,
): ExitCode {
  let done = 0;
  for (const it of restored) {
    const isDone = ["restored", "unchanged"].includes(it.outcome.kind);
    if (isDone) done += 1;
    // What is not back is told of each: somebody has to do something about it.
    if (!isDone || done <= listedMax) print(textOf(it));
  }
  if (done > listedMax) print(`… and ${done - listedMax} more that are back`);
  if (signal.aborted) print("it was interrupted: the rest is still in the trash");
  return done === restored.length && !signal.aborted ? 0 : 1;
}

function textOf(restored: Restored): string {
  const { tag, digest = "", outcome } = restored;
  const name = nameText(restored);
  switch (outcome.kind) {
    case "restored": {
      const before = outcome.before === undefined ? "" : `; it was ${outcome.before}`;
      return tag === undefined ? `${name} is back` : `${name} is ${digest} again${before}`;
    }
    case "unchanged":
      return `${name} is ${tag === undefined ? "there" : digest} already: nothing to restore`;
    case "moved":
      return `${name} points to ${outcome.current} now and stays so; --force moves it to ${digest}`;
    case "gone": {
      const missing = outcome.missing.join(", ");
      return `${name} cannot be restored: these bytes are gone: ${missing}; push the image again`;
    }
    case "immutable":
      return `${name} cannot be restored: ${outcome.why}`;
    case "unknown":
      return digest === ""
        ? `nothing earlier is known of ${name}: berth tag history shows all there is`
        : `${digest} is neither in the repository nor in the trash: it cannot be restored`;
  }
}
