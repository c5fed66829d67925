/**
 * Bearer tokens of an external token service (`auth: token`), as Distribution verifies them.
 *
 * The service is never called: a token is a JWT that one of the configured keys has signed for
 * this registry, and its claim `access` says what the bearer may do (Distribution's
 * specification of token authentication; RFC 6750, RFC 7519).
 */
import { createHash, type KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Access } from "../oci/scope.ts";
import { coversAll, type Grants, resourceKey, scopeFor } from "./access.ts";
import type { Authenticator, Credentials, Decision, Identity } from "./authenticator.ts";
import { keyOfChain } from "./certificate-chain.ts";
import { type BearerChallenge, bearerChallenge } from "./challenge.ts";
import { type JwtHeader, quoted, verifyJwt } from "./jwt.ts";
import { Remembered } from "./remembered.ts";
import { algorithmsFor, type KeyFile, parseJwks, parsePemBundle } from "./trusted-keys.ts";
import { WatchedFile } from "./watched-file.ts";

export interface TokenOptions {
  /** The address of the token service. */
  readonly realm: string;
  /** The name of this registry, which a token has to have as its audience. */
  readonly service: string;
  readonly issuer: string;
  /** A file of PEM certificates and public keys. */
  readonly rootCertBundlePath?: string | undefined;
  /** A file with a JSON Web Key Set. One of the two is needed. */
  readonly jwksPath?: string | undefined;
  /** The token service's path on the host that the client came to; undefined for `realm`. */
  readonly autoRedirectPath?: string | undefined;
  /** The algorithms to accept; empty for all that are known. */
  readonly signingAlgorithms: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The default of Distribution's `signingalgorithms`, and all that may be named there. */
export const signingAlgorithms: readonly string[] = [
  "EdDSA",
  ...["HS", "RS", "ES", "PS"].flatMap((family) => [`${family}256`, `${family}384`, `${family}512`]),
];

const tokenLengthMax = 16_384;
const leewaySeconds = 60;
/** Tokens remembered at once; the oldest goes first. */
const rememberedMax = 10_000;
/** A certificate of a chain may end before the token does; so nothing is remembered for long. */
const rememberedMsMax = 300_000;

/**
 * @throws {Error} when no key file is named, one cannot be read, or there is no usable key in
 * them, and when `signingAlgorithms` names one that does not exist.
 */
export function openTokenAuthenticator(options: TokenOptions): Authenticator {
  for (const name of options.signingAlgorithms) {
    if (!signingAlgorithms.includes(name)) {
      throw new Error(
        `${name} is not a signing algorithm; there are ${signingAlgorithms.join(" ")}`,
      );
    }
  }
  return new TokenAuthenticator(options);
}

interface VerifiedToken {
  readonly identity: Identity;
  readonly grants: Grants;
}

class TokenAuthenticator implements Authenticator {
  readonly #options: TokenOptions;
  readonly #algorithms: readonly string[];
  readonly #files: readonly WatchedFile<KeyFile>[];
  #keyFiles: readonly KeyFile[];
  #remembered = new Remembered<VerifiedToken>(rememberedMax);

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#algorithms =
      options.signingAlgorithms.length > 0 ? options.signingAlgorithms : signingAlgorithms;
    const sources = [
      { path: options.rootCertBundlePath, parse: parsePemBundle },
      { path: options.jwksPath, parse: parseJwks },
    ];
    this.#files = sources.flatMap(({ path, parse }) =>
      path === undefined ? [] : [watchKeys(path, parse, options)],
    );
    this.#keyFiles = this.#files.map((file) => file.current());
    if (this.#keyFiles.every(({ byId }) => byId.size === 0)) {
      throw new Error("auth.token has no usable key: name one in rootcertbundle or in jwks");
    }
  }

  decide(
    credentials: Credentials,
    accesses: readonly Access[],
    besides: readonly Access[] = [],
  ): Decision | Promise<Decision> {
    const token = bearerToken(credentials.authorization);
    const request = { origin: credentials.origin, accesses, besides };
    if (token === undefined) return this.#challenge(request, undefined);
    if (token.length > tokenLengthMax) return this.#challenge(request, "invalid_token");

    this.#renewKeys();
    const key = createHash("sha256").update(token).digest("base64");
    const verified = this.#remembered.get(key, this.#options.clock.nowMs());
    if (verified !== undefined) return this.#judge(request, verified);
    return this.#verify({ token, key }).then((verified) =>
      verified === undefined
        ? this.#challenge(request, "invalid_token")
        : this.#judge(request, verified),
    );
  }

  /** A key that is gone from its file takes the tokens that it signed with it. */
  #renewKeys(): void {
    if (this.#files.every((file, index) => file.current() === this.#keyFiles[index])) return;
    this.#keyFiles = this.#files.map((file) => file.current());
    this.#remembered = new Remembered(rememberedMax);
  }

  async #verify(candidate: {
    readonly token: string;
    readonly key: string;
  }): Promise<VerifiedToken | undefined> {
    const { issuer, service, clock, logger } = this.#options;
    const nowMs = clock.nowMs();
    // Taken before the signature is checked: should the keys change meanwhile, what is put in
    // here is not looked at any more.
    const remembered = this.#remembered;
    try {
      const claims = await verifyJwt(candidate.token, {
        keyFor: (header) => this.#keyFor(header, nowMs),
        issuer,
        audience: service,
        algorithms: this.#algorithms,
        leewaySeconds,
        nowMs,
      });
      const verified: VerifiedToken = {
        identity: { kind: "token", name: claims.subject.toWellFormed() },
        grants: grantsOf(claims.payload["access"]),
      };
      const expiresMs = (claims.expiresSeconds + leewaySeconds) * 1_000;
      remembered.put(candidate.key, verified, Math.min(expiresMs, nowMs + rememberedMsMax));
      return verified;
    } catch (cause) {
      // Expected: clients come with old tokens. The administrator who sets up a token service
      // needs the reason, which the client is not told.
      logger.info("a token was refused", { why: messageOf(cause) });
      return undefined;
    }
  }

  #keyFor({ alg, kid, x5c }: JwtHeader, nowMs: number): KeyObject {
    for (const { byId } of this.#keyFiles) {
      const trusted = kid === undefined ? undefined : byId.get(kid);
      if (trusted?.algorithms.includes(alg) === true) return trusted.key;
      // A key of that name with another algorithm is an attack, not a reason to look further.
      if (trusted !== undefined) throw new Error(`the key that kid names is not one for ${alg}`);
    }
    if (!Array.isArray(x5c))
      throw new Error(
        kid === undefined
          ? "it has neither kid nor x5c"
          : `its kid ${quoted(kid)} names no trusted key`,
      );
    const roots = this.#keyFiles.flatMap((file) => file.roots);
    const key = keyOfChain(x5c, roots, nowMs);
    if (key === undefined) throw new Error("x5c does not lead to a trusted certificate");
    if (!algorithmsFor(key).includes(alg)) throw new Error(`the key in x5c is not one for ${alg}`);
    return key;
  }

  #judge(request: Request, { identity, grants }: VerifiedToken): Decision {
    return coversAll(grants, request.accesses)
      ? { kind: "granted", identity }
      : // A 401, as in Distribution: the client may ask for a token with more rights.
        this.#challenge(request, "insufficient_scope");
  }

  #challenge({ origin, accesses, besides }: Request, error: BearerChallenge["error"]): Decision {
    const { realm, service, autoRedirectPath } = this.#options;
    const challenge = bearerChallenge({
      realm: autoRedirectPath === undefined ? realm : addressOf(origin, autoRedirectPath),
      service,
      scope: scopeFor([...accesses, ...besides]),
      error,
    });
    return { kind: "challenge", challenge, reason: "unauthorized" };
  }
}

interface Request {
  readonly origin: string;
  readonly accesses: readonly Access[];
  readonly besides: readonly Access[];
}

function addressOf(origin: string, path: string): string {
  return path.startsWith("/") ? origin + path : `${origin}/${path}`;
}

function watchKeys(
  path: string,
  parse: (text: string) => KeyFile,
  { clock, logger }: TokenOptions,
): WatchedFile<KeyFile> {
  return new WatchedFile({
    path,
    clock,
    logger,
    parse: (text) => {
      const file = parse(text);
      const isEmpty = file.byId.size === 0;
      const complaints = [...file.complaints, ...(isEmpty ? ["there is no usable key in it"] : [])];
      for (const why of complaints) logger.warn("token keys", { path, why });
      return file;
    },
  });
}

function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  return /^bearer +(\S.*)$/i.exec(authorization)?.[1];
}

/**
 * The claim `access`, a list of `{type, name, actions}`. A token without it grants nothing but
 * the base of the API.
 *
 * @throws {Error} when it has another shape: a token service that writes such is broken.
 */
function grantsOf(access: unknown): Grants {
  const grants = new Map<string, Set<string>>();
  if (access === undefined || access === null) return grants;
  if (!Array.isArray(access)) throw new Error("the claim access is not a list");
  const entries: readonly unknown[] = access;
  for (const entry of entries) {
    if (!isAccessEntry(entry)) throw new Error("the claim access has an entry of a wrong shape");
    const key = resourceKey(entry.type, entry.name);
    const actions = grants.get(key) ?? new Set();
    for (const action of entry.actions ?? []) actions.add(action);
    grants.set(key, actions);
  }
  return grants;
}

interface AccessEntry {
  readonly type: string;
  readonly name: string;
  /** Null is how Go writes a list with nothing in it. */
  readonly actions: readonly string[] | null;
}

function isAccessEntry(entry: unknown): entry is AccessEntry {
  if (typeof entry !== "object" || entry === null) return false;
  if (!("type" in entry && "name" in entry && "actions" in entry)) return false;
  const { type, name, actions } = entry;
  if (typeof type !== "string" || typeof name !== "string") return false;
  // The two are joined by a colon, so a type with one could pass for another resource.
  if (type.includes(":")) return false;
  if (actions === null) return true;
  return Array.isArray(actions) && actions.every((action) => typeof action === "string");
}
