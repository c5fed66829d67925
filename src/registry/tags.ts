import type { Page } from "../metadata/metadata-store.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { type PageOf, pageOf } from "./page.ts";

/** Listing tags (distribution-spec end-8). */
export class Tags {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /**
   * Tags in ASCII order.
   *
   * @throws {RegistryError} `nameUnknown`
   */
  async list(name: RepositoryName, page: Page): Promise<PageOf<string>> {
    const { lookup } = this.#context;
    const found = await pageOf(page, (wider) => lookup.listTags(name, wider));
    if (found.items.length === 0 && !(await lookup.hasRepository(name))) {
      throw new RegistryError("nameUnknown", { name });
    }
    return found;
  }
}
