import type { Page } from "../metadata/metadata-store.ts";
import type { RegistryContext } from "./context.ts";
import { type PageOf, pageOf } from "./page.ts";

/** How many names are looked at in one step of a search. */
const searchStep = 1000;

/** Listing and searching repositories. */
export class Catalog {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** Names of repositories that have a manifest, in ASCII order. */
  async list(page: Page): Promise<PageOf<string>> {
    return pageOf(page, (wider) => this.#context.lookup.listRepositories(wider));
  }

  /** Names that contain `text`, `limit` at most. */
  async search(text: string, limit: number): Promise<readonly string[]> {
    const wanted = text.toLowerCase();
    const found: string[] = [];
    if (limit === 0) return found;
    let after = "";
    for (;;) {
      const { items, hasMore } = await this.list({ after, limit: searchStep });
      for (const name of items) {
        if (name.includes(wanted)) found.push(name);
        if (found.length === limit) return found;
      }
      if (!hasMore) return found;
      after = items.at(-1) ?? "";
    }
  }
}
