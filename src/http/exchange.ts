import type { Identity } from "../auth/authenticator.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Actor } from "../registry/actor.ts";
import type { Registry } from "../registry/registry.ts";
import type { Reply } from "./reply.ts";
import type { WireRequest } from "./request.ts";
import type { Route, RouteKind } from "./route.ts";

/** One request on its way to an answer: what a handler may look at. */
export interface Exchange {
  readonly request: WireRequest;
  readonly identity: Identity;
  readonly registry: Registry;
  readonly settings: WireSettings;
  /** Whether the client may pull from another repository too: asked by a mount. */
  readonly mayPull: (name: RepositoryName) => Promise<boolean>;
}

/** What the configuration says to the wire. */
export interface WireSettings {
  /** Path in front of `/v2/`, without a slash at the end; usually empty. */
  readonly prefix: string;
  /** The URL that clients use, when it is configured: `scheme://host`. */
  readonly externalOrigin: string | undefined;
  /** Path-only `Location` and `Link`: right behind every proxy, and understood by every client. */
  readonly areUrlsRelative: boolean;
  readonly catalogEntriesMax: number;
  readonly tagsMax: number;
  readonly manifestSizeBytesMax: number;
  readonly tagsPerRequestMax: number;
  readonly urlBytesMax: number;
  readonly isReadOnly: boolean;
  readonly isDeleteEnabled: boolean;
  /** Extra response headers (`http.headers`), each with all its values. */
  readonly extraHeaders: ReadonlyMap<string, readonly string[]>;
}

/** A handler of one kind of route. It answers or throws a RegistryError, and touches no socket. */
export type Handler<Kind extends RouteKind> = (
  route: Extract<Route, { readonly kind: Kind }>,
  exchange: Exchange,
) => Promise<Reply>;

/** The URL of `path` (from `/v2/` on) as it stands in `Location` and `Link`. */
export function urlOf(path: string, { request, settings }: Exchange): string {
  const local = `${settings.prefix}${path}`;
  if (settings.areUrlsRelative) return local;
  return `${settings.externalOrigin ?? request.client.origin}${local}`;
}

export function actorOf({ request, identity }: Exchange): Actor {
  const client = request.headers.get("user-agent");
  const { address } = request.client;
  return {
    ...(identity.name !== "" && { name: identity.name }),
    ...(client !== null && { client }),
    ...(address !== "" && { address }),
  };
}
