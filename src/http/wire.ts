import type { Authenticator, Decision, Identity } from "../auth/authenticator.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Registry } from "../registry/registry.ts";
import { accessesOf, type Effect } from "./access.ts";
import { extraHeadersFor } from "./cors.ts";
import type { Exchange, WireSettings } from "./exchange.ts";
import { type ClientAddress, originOf, type ProxyTrust } from "./forwarded.ts";
import { handle } from "./handlers.ts";
import { emptyReply, errorReply, type Reply } from "./reply.ts";
import { parseTarget, type WireRequest } from "./request.ts";
import { allowAt, parseRoute, type RouteKind } from "./route.ts";
import { sizeOfBody, toResponse } from "./writer.ts";

/**
 * The wire: HTTP in, HTTP out, and nothing else. It reads a request once, asks `auth` whether it
 * may, calls a use case of `registry`, and has one place that writes answers. It obeys the OCI
 * distribution specification, and the Docker Registry HTTP API V2 where that says more; it knows
 * nothing of storage, databases and configuration files.
 *
 *     socket ─ parseTarget ─ parseRoute ─ accessesOf ─ decide ─ handle ─ toResponse ─ socket
 */
export class Wire {
  readonly #options: WireOptions;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Answers one request. Never rejects. */
  async answer(request: Request, peer: Peer): Promise<Response> {
    const id = request.headers.get("x-request-id")?.slice(0, 64) ?? this.#options.random.uuid();
    const startedMs = this.#options.clock.monotonicMs();
    const seen: Seen = { kind: "unknown", user: "", path: "" };
    const reply = await this.#reply({ request, peer, id, seen });
    const extra = extraHeadersFor(
      this.#options.settings.extraHeaders,
      request.headers.get("origin"),
    );
    const response = toResponse(reply, { method: request.method, requestId: id, extra });
    const bodyBytes = request.method === "HEAD" ? 0 : sizeOfBody(reply.body);
    this.#options.onAnswer?.({ request, peer, id, startedMs, reply, bodyBytes, ...seen });
    return response;
  }

  async #reply(arrival: Arrival): Promise<Reply> {
    try {
      return await this.#process(arrival);
    } catch (error) {
      if (error instanceof RegistryError) return errorReply(error);
      this.#options.logger.error("a request failed", { requestId: arrival.id, error });
      return errorReply(new RegistryError("internal", { requestId: arrival.id }));
    }
  }

  async #process({ request, peer, id, seen }: Arrival): Promise<Reply> {
    const { settings, registry, authenticator, trust } = this.#options;
    const target = parseTarget(request.url, settings.urlBytesMax);
    const path = withoutPrefix(target.path, settings.prefix);
    seen.path = path;
    // Browsers ask this without credentials, so it is answered before they are looked for.
    if (request.method === "OPTIONS") return emptyReply(204, { Allow: allowAt(path) });
    const route = parseRoute(request.method, path);
    seen.kind = route.kind;
    const { effect, accesses } = accessesOf(route);
    const client = originOf(request.headers, { ...peer, host: target.host }, trust);
    const credentials = {
      authorization: request.headers.get("authorization") ?? undefined,
      origin: settings.externalOrigin ?? client.origin,
    };
    let identity: Identity = { kind: "anonymous", name: "" };
    if (accesses.length > 0) {
      const decision = authenticator.decide(credentials, accesses);
      identity = identityOf(decision instanceof Promise ? await decision : decision);
      seen.user = identity.name;
    }
    refuseWhatIsOff(effect, settings);
    const wireRequest: WireRequest = {
      method: request.method,
      path,
      query: target.query,
      headers: request.headers,
      body: request.body,
      address: client.address,
      origin: client.origin,
      id,
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
  /** Told of every answer: for the access log and the metrics. Must be quick. */
  readonly onAnswer?: (answered: Answered) => void;
}

/** Where a request comes from, as the socket says. */
export interface Peer extends ClientAddress {
  readonly isTls: boolean;
}

/** What is known of a request on the way, for the log. */
interface Seen {
  kind: RouteKind | "unknown";
  user: string;
  path: string;
}

interface Arrival {
  readonly request: Request;
  readonly peer: Peer;
  readonly id: string;
  readonly seen: Seen;
}

export interface Answered extends Readonly<Seen>, Omit<Arrival, "seen"> {
  readonly startedMs: number;
  readonly reply: Reply;
  /** Bytes of the body as they are sent when nothing breaks off. */
  readonly bodyBytes: number;
}

/** @throws {RegistryError} `unauthorized` with the challenge, or `denied` */
function identityOf(decision: Decision): Identity {
  switch (decision.kind) {
    case "granted":
      return decision.identity;
    case "challenge":
      throw new RegistryError(
        "unauthorized",
        {},
        { headers: { "WWW-Authenticate": decision.challenge } },
      );
    case "denied":
      throw new RegistryError("denied");
  }
}

/** The one place where reading only and deleting off are obeyed, for every route. */
function refuseWhatIsOff(effect: Effect, settings: WireSettings): void {
  if (effect !== "read" && settings.isReadOnly) throw new RegistryError("readOnly");
  if (effect === "delete" && !settings.isDeleteEnabled) throw new RegistryError("deleteDisabled");
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === "") return path;
  if (path !== prefix && !path.startsWith(`${prefix}/`)) {
    throw new RegistryError("pathUnknown", { path });
  }
  return path === prefix ? "/" : path.slice(prefix.length);
}
