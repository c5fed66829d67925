import type { RepositoryName } from "./repository-name.ts";

/** What may be done to a repository. `admin` is Berth's own; the wire knows the other three. */
export type Action = "pull" | "push" | "delete" | "admin";

/**
 * One thing that a request needs to be allowed. A request may need several: a mount needs
 * push on its target and pull on `from`.
 */
export type Access =
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | {
      readonly kind: "repository";
      readonly name: RepositoryName;
      readonly actions: readonly Action[];
    };

/**
 * The accesses in the form of a token scope, as `WWW-Authenticate` carries it: each
 * `type:name:action,action`, joined by a space. Empty when nothing names a resource.
 */
export function formatScope(accesses: readonly Access[]): string {
  const scopes: string[] = [];
  for (const access of accesses) {
    if (access.kind === "repository") {
      scopes.push(`repository:${access.name}:${access.actions.join(",")}`);
    } else if (access.kind === "catalog") {
      scopes.push("registry:catalog:*");
    }
  }
  return scopes.join(" ");
}
