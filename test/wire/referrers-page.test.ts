/** A page of referrers stays below what clients read of metadata, 4 MiB. */
import { expect, test } from "bun:test";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { withWireRig } from "../support/wire-rig.ts";
import { descriptorOf, image, manifestOf } from "./content.ts";

test("referrers with large annotations come one a page, and each page leads to the next", () =>
  withWireRig({ driver: "memory" }, async (rig) => {
    const mediaType = mediaTypes.ociIndex;
    const referrers = ["a", "b", "c"].map((letter) =>
      manifestOf(
        {
          schemaVersion: 2,
          mediaType,
          manifests: [],
          subject: descriptorOf(image),
          annotations: { large: letter.repeat(2 << 20) },
        },
        { mediaType },
      ),
    );
    for (const { bytes, digest } of referrers) {
      const target = `/v2/foo/manifests/${digest}`;
      const headers = { "Content-Type": mediaType };
      expect((await rig.send({ method: "PUT", target, body: bytes, headers })).status).toBe(201);
    }
    const found: string[] = [];
    let target: string | undefined = `/v2/foo/referrers/${image.digest}`;
    while (target !== undefined) {
      const answer = await rig.send({ method: "GET", target });
      expect(answer.body.byteLength).toBeLessThan(4 << 20);
      const { manifests } = JSON.parse(answer.body.toString());
      expect(manifests).toHaveLength(1);
      found.push(manifests[0].digest);
      const link = answer.headers.find(([name]) => name === "link")?.[1] ?? "";
      target = /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
    }
    expect(found).toEqual(referrers.map(({ digest }) => digest).sort());
  }));
