/**
 * The value of WWW-Authenticate, in the one form that every client reads.
 *
 * jib and the conformance runner parse it with regular expressions, so each parameter is quoted,
 * and no quote or backslash is ever inside one. The runner takes the last of the words "basic"
 * and "bearer" anywhere in the header for the scheme, so this file adds neither to a parameter.
 */

/** The challenge of RFC 7617. */
export function basicChallenge(realm: string): string {
  return `Basic realm=${quoted(realm)}`;
}

export interface BearerChallenge {
  /** The address of the token service. */
  readonly realm: string;
  readonly service: string;
  readonly scope: string | undefined;
  /** Why the token that came was not enough (RFC 6750, 3.1); undefined when none came. */
  readonly error: "invalid_token" | "insufficient_scope" | undefined;
}

/** The challenge of RFC 6750 with the `service` of Distribution's token protocol. */
export function bearerChallenge({ realm, service, scope, error }: BearerChallenge): string {
  let challenge = `Bearer realm=${quoted(realm)},service=${quoted(service)}`;
  if (scope !== undefined) challenge += `,scope=${quoted(scope)}`;
  if (error !== undefined) challenge += `,error=${quoted(error)}`;
  return challenge;
}

/** A quoted string that needs no escape: a header must not carry what a Host header smuggled in. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, "'").replace(/[^\u0020-\u007e]/g, "?")}"`;
}
