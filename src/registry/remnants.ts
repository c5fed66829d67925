import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";

/** What is not noted is found at the next start. */
const notedMax = 10_000;

/** What a comparison came across that has no row: for whoever clears it away, or brings it back. */
export class Remnants {
  readonly #names = new Set<RepositoryName>();
  /**
   * Links without their bytes: Distribution's garbage-collect leaves such links to layers, and a
   * damaged disk leaves all kinds.
   */
  readonly #lost = new Map<Digest, Set<RepositoryName>>();

  get isFull(): boolean {
    return this.#names.size >= notedMax;
  }

  add(name: RepositoryName): void {
    this.#names.add(name);
  }

  addLost(digest: Digest, name: RepositoryName): void {
    const names = this.#lost.get(digest);
    if (names !== undefined) names.add(name);
    else if (this.#lost.size < notedMax) this.#lost.set(digest, new Set([name]));
  }

  addLostLayer(digest: Digest, name: RepositoryName): void {
    this.add(name);
    this.addLost(digest, name);
  }

  /** The repositories with something to clear away, which are forgotten. */
  take(): readonly RepositoryName[] {
    const names = [...this.#names];
    this.#names.clear();
    return names;
  }

  /** The repositories with a link to `digest` alone, which are forgotten. */
  takeLost(digest: Digest): Iterable<RepositoryName> {
    const names = this.#lost.get(digest) ?? [];
    this.#lost.delete(digest);
    return names;
  }
}
