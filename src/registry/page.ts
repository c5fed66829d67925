import type { Page } from "../metadata/metadata-store.ts";

/** Part of a listing; `hasMore` says whether a client should ask on. */
export interface PageOf<Item> {
  readonly items: readonly Item[];
  readonly hasMore: boolean;
}

/** Asks `list` for one more than the page shows: that tells whether there is a next one. */
export async function pageOf<Item>(
  page: Page,
  list: (wider: Page) => Promise<readonly Item[]>,
): Promise<PageOf<Item>> {
  if (page.limit === 0) return { items: [], hasMore: false };
  const found = await list({ ...page, limit: page.limit + 1 });
  return found.length > page.limit
    ? { items: found.slice(0, page.limit), hasMore: true }
    : { items: found, hasMore: false };
}
