import { expect, test } from "bun:test";
import { nameOf } from "../oci/test-support.ts";
import { recordedRepositories } from "./recorded-repositories.ts";

test("every repository comes once, also when it is removed as soon as it has come", async () => {
  const names = Array.from({ length: 2_500 }, (_, index) => nameOf(`app-${10_000 + index}`));
  const left = new Set(names);
  const listRecorded = async ({ after = "", limit }: { after?: string; limit: number }) =>
    [...left].filter((name) => name > after).slice(0, limit);
  const found: string[] = [];
  for await (const name of recordedRepositories({ listRecorded })) {
    found.push(name);
    left.delete(name);
  }
  expect(found).toEqual([...names]);
});
