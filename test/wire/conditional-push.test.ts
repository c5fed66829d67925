/** Pushes that hold only for what the client has seen (RFC 9110, 13.1: If-Match, If-None-Match). */
import { describe, expect, test } from "bun:test";
import type { RawAnswer } from "../support/raw-http.ts";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { type Content, manifestOf } from "./content.ts";

/** An index of nothing: a manifest that needs no blob. */
function indexOf(note: string): Content {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const value = { schemaVersion: 2, mediaType, manifests: [], annotations: { note } };
  return manifestOf(value, { mediaType });
}

const [first, second, third] = [indexOf("first"), indexOf("second"), indexOf("third")];
const v1 = "app/manifests/v1";

function put(
  rig: WireRig,
  path: string,
  push: { readonly content: Content; readonly condition?: Readonly<Record<string, string>> },
): Promise<RawAnswer> {
  const headers = { "Content-Type": push.content.mediaType, ...push.condition };
  const body = push.content.bytes;
  return rig.send({ method: "PUT", target: `/v2/${path}`, body, headers });
}

async function digestAt(rig: WireRig, path: string): Promise<string | undefined> {
  const { status, headers } = await rig.send({ method: "HEAD", target: `/v2/${path}` });
  return status === 200
    ? headers.find(([name]) => name.toLowerCase() === "docker-content-digest")?.[1]
    : undefined;
}

const etag = ({ digest }: Content): string => `"${digest}"`;

for (const driver of localDrivers) {
  describe(`on the ${driver} driver`, () => {
    test("If-Match moves the tag that the client has seen, and no other", () =>
      withWireRig({ driver }, async (rig) => {
        await put(rig, v1, { content: first });
        const condition = { "If-Match": etag(first) };
        expect((await put(rig, v1, { content: second, condition })).status).toBe(201);
        const refused = await put(rig, v1, { content: third, condition });
        expect(refused.status).toBe(412);
        expect(JSON.parse(refused.body.toString()).errors).toMatchObject([
          { code: "DENIED", detail: { digest: second.digest, name: "app", reference: "v1" } },
        ]);
        expect(await digestAt(rig, v1)).toBe(second.digest);
        // Nothing of it was stored.
        expect(await digestAt(rig, `app/manifests/${third.digest}`)).toBeUndefined();
      }));

    test.each([
      ["If-Match", `"other", ${etag(first)}`, { set: 201, unset: 412 }],
      ["If-Match", "*", { set: 201, unset: 412 }],
      // A strong comparison: what is only equivalent does not count.
      ["If-Match", `W/${etag(first)}`, { set: 412, unset: 412 }],
      ["If-Match", etag(second), { set: 412, unset: 412 }],
      ["If-None-Match", "*", { set: 412, unset: 201 }],
      ["If-None-Match", etag(first), { set: 412, unset: 201 }],
      ["If-None-Match", etag(second), { set: 201, unset: 201 }],
    ] as const)("%s: %s", (name, value, statuses) =>
      withWireRig({ driver }, async (rig) => {
        await put(rig, v1, { content: first });
        const condition = { [name]: value };
        const unset = await put(rig, "app/manifests/v2", { content: second, condition });
        const set = await put(rig, v1, { content: second, condition });
        expect({ set: set.status, unset: unset.status }).toEqual(statuses);
        expect(await digestAt(rig, v1)).toBe((set.status === 201 ? second : first).digest);
      }),
    );

    test("a push by digest is held against that digest, and its tags go with it", () =>
      withWireRig({ driver }, async (rig) => {
        const path = `app/manifests/${first.digest}`;
        const condition = { "If-None-Match": "*" };
        const query = `${path}?tag=a`;
        expect((await put(rig, query, { content: first, condition })).status).toBe(201);
        expect((await put(rig, `${path}?tag=b`, { content: first, condition })).status).toBe(412);
        expect(await digestAt(rig, "app/manifests/a")).toBe(first.digest);
        expect(await digestAt(rig, "app/manifests/b")).toBeUndefined();
      }));

    test("of many who have seen the same, one moves the tag", () =>
      withWireRig({ driver }, async (rig) => {
        await put(rig, v1, { content: first });
        const contents = Array.from({ length: 16 }, (_, index) => indexOf(`one of ${index}`));
        const condition = { "If-Match": etag(first) };
        const answers = await Promise.all(
          contents.map((content) => put(rig, v1, { content, condition })),
        );
        const moved = answers.flatMap(({ status }, index) => (status === 201 ? [index] : []));
        expect(moved).toHaveLength(1);
        expect(answers.filter(({ status }) => status === 412)).toHaveLength(15);
        expect(await digestAt(rig, v1)).toBe(contents[moved[0] ?? -1]?.digest);
      }));
  });
}
