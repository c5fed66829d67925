import type { Handler } from "../exchange.ts";
import { nextLink, parsePage } from "../paging.ts";
import { jsonReply } from "../reply.ts";

/** `GET /v2/<name>/tags/list` (end-8). Without `n`, all of them: that is what clients expect. */
export const tagList: Handler<"tagList"> = async ({ name }, exchange) => {
  const { query } = exchange.request;
  const page = parsePage(query, exchange.settings.tagsMax);
  const limit = page.count ?? Number.MAX_SAFE_INTEGER - 1;
  const found = await exchange.registry.tags.list(name, { after: page.last, limit });
  const last = found.items.at(-1) ?? "";
  return jsonReply(
    { name, tags: found.items },
    found.hasMore
      ? { headers: nextLink(`/v2/${name}/tags/list`, { last, n: String(limit) }, exchange) }
      : {},
  );
};
