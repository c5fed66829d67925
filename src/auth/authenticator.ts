/**
 * auth: who is asking, and whether they may.
 *
 * This room turns the Authorization header of a request into an identity and says whether that
 * identity may do what the request needs. It obeys RFC 7617 (Basic), RFC 6750 (Bearer) and the
 * token protocol of Distribution. It refuses to know of routes, replies and storage: the wire
 * passes a header and a list of accesses, and renders the decision that it gets.
 */
import type { Access } from "../oci/scope.ts";

/** Who is asking. */
export interface Identity {
  readonly kind: "anonymous" | "user" | "token";
  /** Empty for anonymous, and for the bearer of a token without a subject. */
  readonly name: string;
}

export const anonymous: Identity = { kind: "anonymous", name: "" };

export interface Credentials {
  /** The Authorization header as it came; undefined when there was none. */
  readonly authorization: string | undefined;
  /** Scheme and host as the client sees them, without a slash at the end. */
  readonly origin: string;
  /** Where the client is, unless it could choose that itself; empty when nobody knows. */
  readonly address: string;
}

export type Decision =
  | { readonly kind: "granted"; readonly identity: Identity }
  | {
      /** Answer 401: other credentials may help. */
      readonly kind: "challenge";
      /** The value of WWW-Authenticate. */
      readonly challenge: string;
      readonly reason: "unauthorized";
    }
  /** Answer 403: we know who it is, and no other login is asked for. */
  | { readonly kind: "denied"; readonly identity: Identity };

/** One way of deciding. Exactly one is in force, chosen when the program starts. */
export interface Authenticator {
  /**
   * Whether the bearer of `credentials` may have all of `accesses`. A challenge for a token names
   * `besides` too: what the request can do without, and what the same token is to be good for.
   *
   * Every request goes through here, so an implementation answers without a promise whenever it
   * can: always for credentials that it has verified within the last minute.
   *
   * @throws {RegistryError} `tooManyLogins` when too many verifications wait already.
   */
  decide(
    credentials: Credentials,
    accesses: readonly Access[],
    besides?: readonly Access[],
  ): Decision | Promise<Decision>;
}
