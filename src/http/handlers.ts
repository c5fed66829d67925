import type { Exchange, Handler } from "./exchange.ts";
import type { Reply } from "./reply.ts";
import type { Route, RouteKind } from "./route.ts";
import { base, discover, root } from "./v2/base.ts";
import { blobDelete, blobGet, blobHead } from "./v2/blobs.ts";
import { catalog, v1Ping, v1Search } from "./v2/catalog.ts";
import { manifestDelete, manifestGet, manifestHead, manifestPut } from "./v2/manifests.ts";
import { referrers } from "./v2/referrers.ts";
import { tagList } from "./v2/tags.ts";
import {
  uploadAppend,
  uploadBegin,
  uploadCancel,
  uploadFinish,
  uploadStatus,
} from "./v2/uploads.ts";

/** One handler a kind of route; a kind without one does not compile. */
const handlers: { readonly [Kind in RouteKind]: Handler<Kind> } = {
  root,
  base,
  catalog,
  discover,
  v1Ping,
  v1Search,
  tagList,
  referrers,
  blobGet,
  blobHead,
  blobDelete,
  manifestGet,
  manifestHead,
  manifestPut,
  manifestDelete,
  uploadBegin,
  uploadStatus,
  uploadAppend,
  uploadFinish,
  uploadCancel,
};

/** Runs the handler of `route`. */
export function handle<Kind extends RouteKind>(
  route: Extract<Route, { readonly kind: Kind }>,
  exchange: Exchange,
): Promise<Reply> {
  return handlers[route.kind](route, exchange);
}
