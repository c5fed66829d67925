import { expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { digestOf } from "../oci/digest.ts";
import { nameOf } from "../oci/test-support.ts";
import { MemoryStore } from "./drivers/memory.ts";
import { LinkStore } from "./link-store.ts";

async function storeOf(names: Iterable<string>) {
  const objects = new MemoryStore(systemClock);
  const links = new LinkStore(objects, silentLogger);
  const digest = digestOf("manifest");
  for (const name of names) await links.writeRevision(nameOf(name), digest);
  return { objects, links };
}

// Letters around the slash: `-` and `.` come before it, digits and letters after.
const component = fc.stringMatching(/^[a0](?:[-.][a0])?$/);
const names = fc.uniqueArray(
  fc.array(component, { minLength: 1, maxLength: 4 }).map((it) => it.join("/")),
  { maxLength: 20 },
);

test("repositories come in ASCII order, and from any text on", async () => {
  const text = fc.stringMatching(/^[-./0a]{0,6}$/);
  const property = fc.asyncProperty(names, text, async (all, other) => {
    const { links } = await storeOf(all);
    for (const after of ["", other, ...all]) {
      const expected = all.filter((name) => name > after).toSorted();
      expect(await Array.fromAsync<string>(links.listRepositories(after))).toEqual(expected);
    }
  });
  await fc.assert(property, { numRuns: 200 });
});

test("a page of a catalog opens the folders of its own names alone", async () => {
  const all = Array.from({ length: 500 }, (_, it) => `team-${it % 10}/service-${it}`);
  const { objects, links } = await storeOf(all);
  const ordered = all.toSorted();
  const list = spyOn(objects, "list");
  const page: string[] = [];
  for await (const name of links.listRepositories(ordered[299])) {
    page.push(name);
    if (page.length === 10) break;
  }
  expect(page).toEqual(ordered.slice(300, 310));
  // The root, two teams, what may lie below the last name of the page before, and the ten.
  expect(list.mock.calls.length).toBeLessThanOrEqual(14);
});
