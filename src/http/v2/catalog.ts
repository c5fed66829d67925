import type { Handler } from "../exchange.ts";
import { nextLink, parsePage } from "../paging.ts";
import { emptyReply, jsonReply } from "../reply.ts";

/** What Distribution shows when the client does not say how many it wants. */
const catalogEntriesDefault = 100;
/** `docker search` asks for 25 and shows what it gets. */
const searchResultsDefault = 25;
const searchResultsMax = 100;

/** `GET /v2/_catalog`: the repositories (Docker Registry HTTP API V2). */
export const catalog: Handler<"catalog"> = async (_, exchange) => {
  const { query } = exchange.request;
  const { catalogEntriesMax } = exchange.settings;
  const page = parsePage(query, catalogEntriesMax);
  const limit = page.count ?? Math.min(catalogEntriesDefault, catalogEntriesMax);
  const found = await exchange.registry.catalog.list({ after: page.last, limit });
  const last = found.items.at(-1) ?? "";
  return jsonReply(
    { repositories: found.items },
    found.hasMore
      ? { headers: nextLink("/v2/_catalog", { last, n: String(limit) }, exchange) }
      : {},
  );
};

/** `GET /v1/_ping`: docker and podman ask it before a search. */
export const v1Ping: Handler<"v1Ping"> = async () =>
  emptyReply(200, { "X-Docker-Registry-Version": "2.0" });

/** `GET /v1/search?q=&n=`: gives `docker search` and `podman search` a search. */
export const v1Search: Handler<"v1Search"> = async (_, exchange) => {
  const { query } = exchange.request;
  const text = query.get("q") ?? "";
  const { count } = parsePage(query, searchResultsMax);
  const names = await exchange.registry.catalog.search(text, count ?? searchResultsDefault);
  const results = names.map((name) => ({
    name,
    description: "",
    star_count: 0,
    is_official: false,
    is_automated: false,
    is_trusted: false,
  }));
  return jsonReply({
    query: text,
    num_results: results.length,
    num_pages: 1,
    page: 1,
    page_size: results.length,
    results,
  });
};
