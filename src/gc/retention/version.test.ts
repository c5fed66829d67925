import { expect, test } from "bun:test";
import { versionPlaces } from "./version.ts";

function places(...names: string[]): Record<string, string> {
  const found = versionPlaces(names, (name) => name);
  return Object.fromEntries(
    [...found].map(([name, { line, place }]) => [name, `${line} ${place}`]),
  );
}

test("the newest of a minor version is first, by number and not by letter", () => {
  expect(places("v1.2.9", "v1.2.10", "v1.3.0", "v1.2.2")).toEqual({
    "v1.2.10": "1.2 1",
    "v1.2.9": "1.2 2",
    "v1.2.2": "1.2 3",
    "v1.3.0": "1.3 1",
  });
});

test("tags that spell one version share a place", () => {
  expect(places("1.2.3", "v1.2.3", "1.2.2")).toEqual({
    "1.2.3": "1.2 1",
    "v1.2.3": "1.2 1",
    "1.2.2": "1.2 2",
  });
});

test("suffixes take no place of a release, and each kind is counted by itself", () => {
  expect(
    places("1.2.3", "1.2.4-rc.1", "1.2.4-rc.2", "1.2.3-alpine3.19", "1.2.2-alpine", "1.2.5-1"),
  ).toEqual({
    "1.2.3": "1.2 1",
    "1.2.4-rc.2": "1.2-rc 1",
    "1.2.4-rc.1": "1.2-rc 2",
    "1.2.3-alpine3.19": "1.2-alpine 1",
    "1.2.2-alpine": "1.2-alpine 2",
    "1.2.5-1": "1.2-0 1",
  });
});

test.each(["latest", "1.2", "v1", "1.2.3.4", "01.2.3", "2026-11-21", "release-1.2.3"])(
  "%s is no version",
  (name) => {
    expect(places(name)).toEqual({});
  },
);
