import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { followVolume } from "./data-volume.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "berth-volume-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As if a volume were mounted at `mount`, below the root. */
function mountedAt(mount: string): (path: string) => number | undefined {
  return (path) => {
    if (!existsSync(path)) return undefined;
    return path === join(root, mount) || path.startsWith(`${join(root, mount)}/`) ? 2 : 1;
  };
}

test.each(["docker", "docker/registry", "docker/registry/v2"])(
  "with a volume at %s Berth's own folder is on it, and stays there",
  (mount) => {
    mkdirSync(join(root, mount), { recursive: true });
    expect(followVolume(root, mountedAt(mount))).toBeUndefined();
    writeFileSync(join(root, "berth/a"), "");
    expect(existsSync(join(root, mount, "berth/a"))).toBe(true);

    // Another container has the volume, and nothing of the first one's root.
    rmSync(join(root, "berth"));
    mkdirSync(join(root, "docker/registry/v2/blobs"), { recursive: true });
    expect(followVolume(root, mountedAt(mount))).toBeUndefined();
    expect(existsSync(join(root, "berth/a"))).toBe(true);
    expect(followVolume(root, mountedAt(mount))).toBeUndefined();
  },
);

test("without a volume below the root nothing is made", () => {
  expect(followVolume(root, () => 1)).toBeUndefined();
  mkdirSync(join(root, "docker/registry/v2"), { recursive: true });
  expect(followVolume(root, () => 1)).toBeUndefined();
  expect(existsSync(join(root, "berth"))).toBe(false);
});

test("a folder of its own that is there already is not touched, and that pushes fail is said", () => {
  mkdirSync(join(root, "docker/registry/v2"), { recursive: true });
  mkdirSync(join(root, "berth"));
  writeFileSync(join(root, "berth/berth.sqlite"), "");
  const why = followVolume(root, mountedAt("docker/registry/v2"));
  expect(why).toContain(`move ${root}/berth to ${root}/docker/registry/v2/berth`);
  expect(lstatSync(join(root, "berth")).isDirectory()).toBe(true);
});

test("a folder that may not be written to is left to whoever opens it", () => {
  expect(followVolume(join(root, "nowhere"), () => undefined)).toBeUndefined();
});
