import type { Authenticator, Credentials, Decision, Identity } from "../auth/authenticator.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { problems, type Reason, RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Registry } from "../registry/registry.ts";
import { accessesOf, type Effect, mountAccesses } from "./access.ts";
import { allowedOrigin, type ExtraHeaders, readExtraHeaders } from "./cors.ts";
import type { Exchange, WireSettings } from "./exchange.ts";
import { Client, type Peer, type ProxyTrust } from "./forwarded.ts";
import { handle } from "./handlers.ts";
import { pathWithFewerSlashes } from "./redirect.ts";
import { emptyReply, errorReply, type HeaderFields, type Reply } from "./reply.ts";
import { parseTarget, type WireRequest } from "./request.ts";
import { RequestId } from "./request-id.ts";
import { allowAt, parseRoute, type RouteKind } from "./route.ts";
import { noExtra, sizeOfBody, Writer } from "./writer.ts";

/**
 * The wire: HTTP in, HTTP out, and nothing else. It reads a request once, asks `auth` whether it
 * may, calls a use case of `registry`, and has one place that writes answers. It obeys the OCI
 * distribution specification, and the Docker Registry HTTP API V2 where that says more; it knows
 * nothing of storage, databases and configuration files.
 *
 *     socket ─ parseTarget ─ parseRoute ─ accessesOf ─ decide ─ handle ─ Writer ─ socket
 */
export class Wire {
  readonly #options: WireOptions;
  readonly #extra: ExtraHeaders;
  readonly #writer: Writer;

  constructor(options: WireOptions) {
    this.#options = options;
    this.#extra = readExtraHeaders(options.settings.extraHeaders);
    this.#writer = new Writer(this.#extra.fixed, options.clock);
  }

  /** Answers one request. Never rejects. */
  async answer(request: Request, peer: Peer): Promise<Response> {
    const { clock, random, onAnswer } = this.#options;
    const arrival: Arrival = {
      request,
      peer,
      startedMs: clock.monotonicMs(),
      id: new RequestId(request.headers, random),
      seen: { kind: "unknown", user: "", path: "" },
    };
    let reply: Reply;
    try {
      reply = await this.#process(arrival);
    } catch (error) {
      reply = this.#replyToFailure(arrival, error);
    }
    const { method } = request;
    const response = this.#writer.write(reply, { method, extra: this.#extraOf(arrival, reply) });
    if (onAnswer !== undefined) {
      const bodyBytes = method === "HEAD" ? 0 : sizeOfBody(reply.body);
      const { peer, startedMs, id, seen } = arrival;
      onAnswer({ request, peer, startedMs, id, seen, reply, bodyBytes });
    }
    return response;
  }

  /** What this one answer adds: its id where somebody may ask for it, and a browser's origin. */
  #extraOf({ request, id }: Arrival, { status }: Reply): HeaderFields {
    const isIdShown = status >= 400;
    const origin = this.#extra.origins.size > 0 ? request.headers.get("origin") : null;
    if (!isIdShown && origin === null) return noExtra;
    return {
      ...(isIdShown && { "X-Request-Id": id.text }),
      ...allowedOrigin(this.#extra, origin),
    };
  }

  #replyToFailure(arrival: Arrival, error: unknown): Reply {
    this.#seeAnyway(arrival);
    if (error instanceof RegistryError) {
      const elsewhere = problems[error.reason].status === 404 ? this.#redirect(arrival) : undefined;
      if (elsewhere !== undefined) return elsewhere;
      arrival.seen.reason = error.reason;
      // The client is told that the storage or the database failed; here is why.
      if (error.cause !== undefined && problems[error.reason].status >= 500) {
        const { reason, cause } = error;
        this.#options.logger.warn("a request was refused", {
          requestId: arrival.id.text,
          reason,
          error: cause,
        });
      }
      return errorReply(error);
    }
    arrival.seen.reason = "internal";
    const requestId = arrival.id.text;
    this.#options.logger.error("a request failed", { requestId, error });
    return errorReply(new RegistryError("internal", { requestId }));
  }

  /** What the log has of a request whose target could not be read. */
  #seeAnyway({ request, peer, seen }: Arrival): void {
    if (seen.client !== undefined) return;
    const { headers, url } = request;
    seen.path = url.replace(/^https?:\/\/[^/]*/, "").replace(/\?[^]*$/, "");
    seen.client = new Client({ headers, peer, host: "" }, this.#options.trust);
  }

  /** Where a path without a route leads when it has slashes too many, as in Distribution. */
  #redirect({ request, seen }: Arrival): Reply | undefined {
    if (seen.kind !== "unknown") return undefined;
    const { prefix } = this.#options.settings;
    const below = (path: string): string => withoutPrefix(path, prefix);
    const path = pathWithFewerSlashes(request.method, seen.path, below);
    if (path === undefined) return undefined;
    const { url } = request;
    const queryStart = url.includes("?") ? url.indexOf("?") : url.length;
    // A slash that is encoded was meant as a part of something.
    if (url.slice(0, queryStart).includes("%")) return undefined;
    return emptyReply(301, { Location: path + url.slice(queryStart) });
  }

  async #process({ request, peer, seen }: Arrival): Promise<Reply> {
    const { settings, registry, authenticator, trust } = this.#options;
    const target = parseTarget(request.url, settings.urlBytesMax, request.headers);
    // The log has what the client asked for, also where no API is.
    seen.path = target.path;
    const client = new Client({ headers: request.headers, peer, host: target.host }, trust);
    seen.client = client;
    const path = withoutPrefix(target.path, settings.prefix);
    const why = this.#options.outOfRotation?.();
    if (why !== undefined) throw new RegistryError("unhealthy", { why });
    // Browsers ask this without credentials, so it is answered before they are looked for.
    if (request.method === "OPTIONS") return emptyReply(204, { Allow: allowAt(path) });
    const route = parseRoute(request.method, path);
    seen.kind = route.kind;
    this.#options.onRoute?.(route.kind);
    if ("name" in route) seen.repository = route.name;
    const { effect, accesses } = accessesOf(route);
    seen.effect = effect;
    const credentials = new RequestCredentials(request.headers, client, settings);
    let identity: Identity = { kind: "anonymous", name: "" };
    if (accesses.length > 0) {
      const besides = mountAccesses(route, target.query);
      const pending = authenticator.decide(credentials, accesses, besides);
      identity = identityOf(pending instanceof Promise ? await pending : pending, credentials);
      seen.user = identity.name;
    }
    if (isOff(effect, settings)) throw refusalOfWhatIsOff(path, settings);
    if (bringsBytes.has(route.kind) && this.#options.isStorageFull?.() === true) {
      throw new RegistryError("storageFull");
    }
    const wireRequest: WireRequest = {
      method: request.method,
      path,
      query: target.query,
      headers: request.headers,
      body: request.body,
      client,
      keepOpen: peer.keepOpen,
    };
    const mayPull = async (name: RepositoryName): Promise<boolean> => {
      const access = { kind: "repository", name, actions: ["pull"] } as const;
      return (await authenticator.decide(credentials, [access])).kind === "granted";
    };
    const exchange: Exchange = { request: wireRequest, identity, registry, settings, mayPull };
    return handle(route, exchange);
  }
}

export interface WireOptions {
  readonly registry: Registry;
  readonly authenticator: Authenticator;
  readonly settings: WireSettings;
  readonly trust: ProxyTrust;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Why no request is answered at the moment, if so: Distribution's 503 of a failing check. */
  readonly outOfRotation?: () => string | undefined;
  /** True while the storage has room for nothing but what makes room. Must be quick. */
  readonly isStorageFull?: () => boolean;
  /** Told of every request of which the route is known: `onAnswer` follows. Must be quick. */
  readonly onRoute?: (kind: RouteKind) => void;
  /** Told of every answer: for the access log and the metrics. Must be quick. */
  readonly onAnswer?: (answered: Answered) => void;
}

/** Read from the request only when the authenticator looks: an open registry never does. */
class RequestCredentials implements Credentials {
  readonly #headers: Headers;
  readonly #client: Client;
  readonly #settings: WireSettings;

  constructor(headers: Headers, client: Client, settings: WireSettings) {
    this.#headers = headers;
    this.#client = client;
    this.#settings = settings;
  }

  get authorization(): string | undefined {
    return this.#headers.get("authorization") ?? undefined;
  }

  get origin(): string {
    return this.#settings.externalOrigin ?? this.#client.origin;
  }

  get address(): string {
    return this.#client.provenAddress;
  }
}

/** What is known of a request on the way, for the log. */
interface Seen {
  kind: RouteKind | "unknown";
  /** Undefined when the request was refused before anybody asked. */
  client?: Client;
  user: string;
  path: string;
  /** The repository that the path names; absent for paths that name none. */
  repository?: RepositoryName;
  effect?: Effect;
  /** Why the request was refused; absent when it was not. */
  reason?: Reason;
}

interface Arrival {
  readonly request: Request;
  readonly peer: Peer;
  readonly startedMs: number;
  readonly id: RequestId;
  readonly seen: Seen;
}

export interface Answered extends Arrival {
  readonly reply: Reply;
  /** Bytes of the body as they are sent when nothing breaks off. */
  readonly bodyBytes: number;
}

/**
 * Which of name and password is wrong, and whether there is such a name, is not said.
 *
 * @throws {RegistryError} `unauthorized` or `credentialsRefused` with the challenge, or `denied`
 */
function identityOf(decision: Decision, { authorization }: Credentials): Identity {
  switch (decision.kind) {
    case "granted":
      return decision.identity;
    case "challenge":
      throw new RegistryError(
        isNobody(authorization) ? "unauthorized" : "credentialsRefused",
        {},
        { headers: { "WWW-Authenticate": decision.challenge } },
      );
    case "denied":
      throw new RegistryError("denied");
  }
}

/** Before anything of them is done: an upload that cannot be ended now goes on later. */
const bringsBytes: ReadonlySet<RouteKind> = new Set<RouteKind>([
  "uploadBegin",
  "uploadAppend",
  "uploadFinish",
  "manifestPut",
]);

/** No credentials, or a colon alone: podman and skopeo send that when nobody has logged in. */
function isNobody(authorization: string | undefined): boolean {
  return authorization === undefined || /^basic +Og==$/i.test(authorization);
}

/** The one place where reading only and deleting off are obeyed, for every route. */
function isOff(effect: Effect, settings: WireSettings): boolean {
  if (effect === "read") return false;
  return settings.isReadOnly || (effect === "delete" && !settings.isDeleteEnabled);
}

/** A 405 says what is left to do at its path (RFC 9110, 15.5.6). */
function refusalOfWhatIsOff(path: string, settings: WireSettings): RegistryError {
  const left = allowAt(path)
    .split(", ")
    .filter((method) => method === "OPTIONS" || !isOff(effectOf(method, path), settings));
  const headers = { Allow: left.join(", ") };
  return new RegistryError(settings.isReadOnly ? "readOnly" : "deleteDisabled", {}, { headers });
}

function effectOf(method: string, path: string): Effect {
  return accessesOf(parseRoute(method, path)).effect;
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === "") return path;
  if (path !== prefix && !path.startsWith(`${prefix}/`)) {
    throw new RegistryError("pathOutsidePrefix", { path, prefix });
  }
  return path === prefix ? "/" : path.slice(prefix.length);
}
