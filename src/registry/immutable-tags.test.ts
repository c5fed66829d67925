import { expect, test } from "bun:test";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { moveTag } from "./move-tag.ts";
import { openTestRegistry } from "./test-support.ts";

const config = 'immutabletags: [{repositories: "**", tags: "v*"}]';
const app = nameOf("team/app");
const actor = { client: "retention rule 1" };

test("a repository with an immutable tag is kept whole", async () => {
  const opened = await openTestRegistry({ config });
  const { image, registry, metadata } = opened;
  await image(app, "one", { tag: "a" });
  await image(app, "two", { tag: "v1" });
  expect(registry.removals.remove([{ kind: "repository", name: app }], {})).rejects.toThrow(
    "tag v1 of team/app is immutable",
  );
  expect(await metadata.listTags(app, { limit: 10 })).toEqual(["a", "v1"]);
  await opened.close();
});

test("a manifest keeps all its tags when the last of many is immutable", async () => {
  const opened = await openTestRegistry({ config });
  const { image, registry, metadata, context } = opened;
  const digest = await image(app, "one", { tag: "v1" });
  const actor = {};
  const tags = Array.from({ length: 1_100 }, (_, it) => tagOf(`a${it}`));
  for (const tag of tags) await moveTag({ name: app, tag, digest, actor }, context);
  expect(registry.removals.remove([{ kind: "manifest", name: app, digest }], {})).rejects.toThrow(
    "tag v1 of team/app is immutable",
  );
  expect(await metadata.listTags(app, { limit: 2_000 })).toHaveLength(tags.length + 1);
  await opened.close();
});

test("what is deleted by rule is in the trash, and its log line names the rule", async () => {
  const opened = await openTestRegistry({ config });
  const { image, registry, activity, logger, clock } = opened;
  const digest = await image(app, "one", { tag: "a" });
  const seen = { digest, pushedAtMs: clock.nowMs(), actor };
  expect(await registry.removals.removeTagIfSame(app, tagOf("a"), seen)).toBe(true);
  expect(await registry.removals.removeTagIfSame(app, tagOf("a"), seen)).toBe(false);
  const [event] = await activity.listTagEvents(app, { tag: tagOf("a"), limit: 1 });
  expect(event?.by).toEqual(actor);
  const lines = logger.lines.filter(({ message }) => message === "a tag was deleted");
  expect(lines.map(({ fields }) => fields["by"])).toEqual(["retention rule 1"]);
  const [entry] = await activity.trash.list({ limit: 5 });
  expect(entry).toMatchObject({ repository: app, tag: "a", digest, by: actor });
  await opened.close();
});
