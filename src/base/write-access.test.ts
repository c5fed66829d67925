import { expect, test } from "bun:test";
import { accessAdvice } from "./write-access.ts";

test("another user's folder is named, with its owner and the two ways out", () => {
  const found = { path: "/srv/registry/berth", ownerId: 0, groupId: 0, userId: 65_532 };
  expect(accessAdvice(found, "/srv/registry")).toBe(
    "user 65532, as which the registry runs, may not write to /srv/registry/berth, which belongs " +
      "to user 0: give it the folder: chown -R 65532 /srv/registry; or run the registry as the " +
      "folder's owner (docker run --user 0:0)",
  );
  expect(accessAdvice({ ...found, ownerId: 65_532 }, "/srv/registry")).toEndWith(
    "belongs to user 65532: give it the right to: chmod -R u+rwX /srv/registry",
  );
});
