import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameOf } from "../oci/test-support.ts";
import { layerLinkKey, revisionLinkKey } from "../storage/layout.ts";
import { openTestRegistry } from "./test-support.ts";

const app = nameOf("team/app");

/** A crash between a link and its row: the link is gone, its folder and the row are still there. */
for (const kind of ["manifest", "blob"] as const) {
  test(`a ${kind} whose link is gone is not taken for recorded because its folder is there`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-adoption-"));
    const metadata = { kind: "sqlite", path: join(folder, "metadata.sqlite") } as const;
    try {
      const before = await openTestRegistry({ metadata });
      await before.adopt();
      const digest =
        kind === "manifest" ? await before.image(app, "one") : await before.blob(app, "one");
      const link = (kind === "manifest" ? revisionLinkKey : layerLinkKey)(app, digest);
      // A folder is in memory only while there is something in it.
      await before.objects.put(link.replace(/link$/, "stray"), new Uint8Array());
      await before.objects.remove(link);
      await before.close();
      const after = await openTestRegistry({ metadata, left: before });
      await after.adopt();
      const { lookup } = after.context;
      const isThere =
        kind === "manifest"
          ? (await lookup.findManifest(app, digest)) !== undefined
          : await lookup.holdsBlob(app, digest);
      expect(isThere).toBe(false);
      await after.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
