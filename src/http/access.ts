import { parseRepositoryName, type RepositoryName } from "../oci/repository-name.ts";
import type { Access, Action } from "../oci/scope.ts";
import type { Route, RouteKind } from "./route.ts";

/** What a route does to the registry: says what a read-only registry still answers. */
export type Effect = "read" | "write" | "delete";

type RouteOf<Kind extends RouteKind> = Extract<Route, { readonly kind: Kind }>;

interface AccessRow<Kind extends RouteKind> {
  readonly effect: Effect;
  readonly accesses: (route: RouteOf<Kind>) => readonly Access[];
}

const nothing: readonly Access[] = [];
const base: readonly Access[] = [{ kind: "base" }];
const catalog: readonly Access[] = [{ kind: "catalog" }];

function repository(name: RepositoryName, ...actions: Action[]): readonly Access[] {
  return [{ kind: "repository", name, actions }];
}

/**
 * What each route needs to be allowed, in Distribution's words: reading is `pull`, writing is
 * `pull,push`, deleting is `delete`. A mount asks for `pull` on its source besides, when it
 * comes to it. A route without a row does not compile.
 */
export const accessTable: { readonly [Kind in RouteKind]: AccessRow<Kind> } = {
  root: { effect: "read", accesses: () => [] },
  base: { effect: "read", accesses: () => base },
  catalog: { effect: "read", accesses: () => catalog },
  discover: { effect: "read", accesses: () => base },
  v1Ping: { effect: "read", accesses: () => [] },
  v1Search: { effect: "read", accesses: () => catalog },
  tagList: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  referrers: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  blobGet: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  blobHead: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  blobDelete: { effect: "delete", accesses: (route) => repository(route.name, "delete") },
  manifestGet: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  manifestHead: { effect: "read", accesses: (route) => repository(route.name, "pull") },
  manifestPut: { effect: "write", accesses: (route) => repository(route.name, "pull", "push") },
  manifestDelete: { effect: "delete", accesses: (route) => repository(route.name, "delete") },
  uploadBegin: { effect: "write", accesses: (route) => repository(route.name, "pull", "push") },
  uploadStatus: { effect: "write", accesses: (route) => repository(route.name, "pull") },
  uploadAppend: { effect: "write", accesses: (route) => repository(route.name, "pull", "push") },
  uploadFinish: { effect: "write", accesses: (route) => repository(route.name, "pull", "push") },
  // Clients cancel what they began, with the rights they pushed with (docker: unused mounts).
  uploadCancel: { effect: "write", accesses: (route) => repository(route.name, "pull", "push") },
};

/** The row of a route's kind. */
export function accessesOf(route: Route): {
  readonly effect: Effect;
  readonly accesses: readonly Access[];
} {
  const row = rowOf(route);
  return { effect: row.effect, accesses: row.accesses(route) };
}

/**
 * What a mount from another repository asks for besides. Without it the client uploads, so it is
 * not required; but a challenge names it, so that one token is good for both.
 */
export function mountAccesses(route: Route, query: URLSearchParams): readonly Access[] {
  if (route.kind !== "uploadBegin" || !query.has("mount")) return nothing;
  const source = parseRepositoryName(query.get("from") ?? "");
  return source === undefined ? nothing : repository(source, "pull");
}

function rowOf<Kind extends RouteKind>(route: RouteOf<Kind>): AccessRow<Kind> {
  return accessTable[route.kind];
}
