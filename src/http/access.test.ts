import { expect, test } from "bun:test";
import { digestOf } from "../oci/digest.ts";
import { formatScope } from "../oci/scope.ts";
import { accessesOf, accessTable } from "./access.ts";
import { parseRoute } from "./route.ts";

const digest = digestOf("content");
const upload = "/v2/team/app/blobs/uploads/00000000-0000-4000-8000-000000000000";

/** What each request needs, as Distribution asks for it: what it does, and the scope of its token. */
const needs: readonly (readonly [request: string, effect: string, scope: string])[] = [
  ["GET /", "read", "none"],
  ["GET /v1/_ping", "read", "none"],
  ["GET /v2/", "read", "base"],
  ["GET /v2/_oci/ext/discover", "read", "base"],
  ["GET /v2/_catalog", "read", "registry:catalog:*"],
  ["GET /v1/search", "read", "registry:catalog:*"],
  ["GET /v2/team/app/tags/list", "read", "repository:team/app:pull"],
  [`GET /v2/team/app/referrers/${digest}`, "read", "repository:team/app:pull"],
  [`GET /v2/team/app/blobs/${digest}`, "read", "repository:team/app:pull"],
  [`HEAD /v2/team/app/blobs/${digest}`, "read", "repository:team/app:pull"],
  [`DELETE /v2/team/app/blobs/${digest}`, "delete", "repository:team/app:delete"],
  ["GET /v2/team/app/manifests/v1", "read", "repository:team/app:pull"],
  ["HEAD /v2/team/app/manifests/v1", "read", "repository:team/app:pull"],
  ["PUT /v2/team/app/manifests/v1", "write", "repository:team/app:pull,push"],
  ["DELETE /v2/team/app/manifests/v1", "delete", "repository:team/app:delete"],
  ["POST /v2/team/app/blobs/uploads/", "write", "repository:team/app:pull,push"],
  [`GET ${upload}`, "write", "repository:team/app:pull"],
  [`PATCH ${upload}`, "write", "repository:team/app:pull,push"],
  [`PUT ${upload}`, "write", "repository:team/app:pull,push"],
  [`DELETE ${upload}`, "write", "repository:team/app:pull,push"],
];

test.each([...needs])("%s is a %s that needs %s", (request, effect, scope) => {
  const [method = "", path = ""] = request.split(" ");
  const found = accessesOf(parseRoute(method, path));
  const named = formatScope(found.accesses) || (found.accesses[0]?.kind ?? "none");
  expect([found.effect, named]).toEqual([effect, scope]);
});

test("no kind of route is missing above", () => {
  const kinds = needs.map(([request]) => {
    const [method = "", path = ""] = request.split(" ");
    return parseRoute(method, path).kind;
  });
  expect(new Set(kinds)).toEqual(new Set(Object.keys(accessTable) as typeof kinds));
});
