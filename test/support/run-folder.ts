/**
 * The folder that one run of the system tests works in, and the janitor that empties it.
 *
 * `bun test` runs every file in one process and gives no hook for its end, and a run may be
 * stopped from outside at any moment. So a small shell, started first, holds the reading end of a
 * pipe: when this process ends, in whatever way, the pipe closes, and the shell ends what was
 * started and left, unmounts what was mounted in the folder, and removes it.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Run {
  readonly folder: string;
  /** Held so that the pipe lives as long as this process. */
  readonly janitor: Bun.Subprocess<"pipe", "ignore", "ignore">;
}

const janitorScript = `
cat >/dev/null
end() { for group in "$1"/groups/*; do kill -s "$2" -- "-\${group##*/}"; done 2>/dev/null; }
ls "$1"/groups/* >/dev/null 2>&1 && { end "$1" TERM; sleep 2; end "$1" KILL; sleep 0.2; }
grep -o " $1/[^ ]*" /proc/mounts 2>/dev/null | sort -r | while read -r mount; do umount -l "$mount"; done
rm -rf --one-file-system "$1"
`;

const key = Symbol.for("berth.test.run");

function currentRun(): Run {
  const known: unknown = Reflect.get(globalThis, key);
  if (known !== undefined) return known as Run;
  const folder = newFolder(join(tmpdir(), "berth-system"));
  mkdirSync(join(folder, "groups"));
  // A session of its own: an interrupt from the terminal must not reach the janitor.
  const janitor = Bun.spawn(["setsid", "sh", "-c", janitorScript, "janitor", folder], {
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  janitor.unref();
  const run: Run = { folder, janitor };
  Reflect.set(globalThis, key, run);
  return run;
}

/** A new empty folder. It goes when the run ends, or earlier by `removeFolder`. */
export function temporaryFolder(name: string): string {
  return newFolder(join(currentRun().folder, name));
}

/** In lower case throughout: podman takes part of a path for the name of an image. */
function newFolder(prefix: string): string {
  const path = `${prefix}-${randomBytes(4).toString("hex")}`;
  mkdirSync(path);
  return path;
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/**
 * What `make` returns, made once per run for each name: test files have modules of their own but
 * share the global object.
 */
export async function oncePerRun<T>(name: string, make: () => Promise<T>): Promise<T> {
  const shared = Symbol.for(`berth.test.once.${name}`);
  const known: unknown = Reflect.get(globalThis, shared);
  if (known instanceof Promise) return known as Promise<T>;
  const made = make();
  Reflect.set(globalThis, shared, made);
  return made;
}

/** From here until `forgetGroup` the janitor ends this process group when the run ends. */
export function rememberGroup(groupId: number): void {
  writeFileSync(join(currentRun().folder, "groups", String(groupId)), "");
}

export function forgetGroup(groupId: number): void {
  rmSync(join(currentRun().folder, "groups", String(groupId)), { force: true });
}
