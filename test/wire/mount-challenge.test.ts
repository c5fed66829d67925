/** What a client that mounts is asked for: one token for both repositories, as by Distribution. */
import { expect, test } from "bun:test";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import type { Access } from "../../src/oci/scope.ts";
import { headerOf } from "../support/raw-http.ts";
import { withWireRig } from "../support/wire-rig.ts";
import { blobOf } from "./content.ts";

const { digest } = blobOf("a layer");

function textOf(access: Access): string {
  return access.kind === "repository" ? `${access.name}:${access.actions.join(",")}` : access.kind;
}

/** Nobody may do anything; the challenge says what was asked for. */
function refusing(scheme: string): Authenticator & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    decide(_, accesses, besides = []) {
      const scope = [...accesses, ...besides].map(textOf).join(" ");
      asked.push(scope);
      return { kind: "challenge", challenge: `${scheme} scope="${scope}"`, reason: "unauthorized" };
    },
  };
}

test.each([
  [`?mount=${digest}&from=team/base`, "team/app:pull,push team/base:pull"],
  // No source is named, or none that could be: an upload like any other.
  [`?mount=${digest}`, "team/app:pull,push"],
  [`?mount=${digest}&from=`, "team/app:pull,push"],
  [`?mount=${digest}&from=../base`, "team/app:pull,push"],
  ["?from=team/base", "team/app:pull,push"],
  ["", "team/app:pull,push"],
])("POST uploads/%s is challenged for %s", async (query, scope) => {
  const authenticator = refusing("Bearer");
  await withWireRig({ driver: "memory", authenticator }, async (rig) => {
    const target = `/v2/team/app/blobs/uploads/${query}`;
    const answer = await rig.send({ method: "POST", target });
    expect(answer.status).toBe(401);
    expect(headerOf(answer, "WWW-Authenticate")).toBe(`Bearer scope="${scope}"`);
  });
});

test("whoever it is, the credentials are looked at once", async () => {
  const authenticator = refusing("Basic");
  await withWireRig({ driver: "memory", authenticator }, async (rig) => {
    const target = `/v2/team/app/blobs/uploads/?mount=${digest}&from=team/base`;
    expect((await rig.send({ method: "POST", target })).status).toBe(401);
    expect(authenticator.asked).toEqual(["team/app:pull,push team/base:pull"]);
  });
});
