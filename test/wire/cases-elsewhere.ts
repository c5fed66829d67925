/**
 * The numbered cases that no request table can play: each with the file that plays it, or with
 * the reason why none does.
 */
export const casesElsewhere: readonly {
  readonly number: number;
  readonly about: string;
  /** A path from the root of the project, or a reason that begins with `not`. */
  readonly where: string;
}[] = [
  { number: 34, about: "a pull that was cut is resumed", where: "test/wire/interrupted.test.ts" },
  { number: 55, about: "a PATCH that was cut", where: "test/wire/interrupted.test.ts" },
  { number: 56, about: "a PUT that was cut", where: "test/wire/interrupted.test.ts" },
  { number: 57, about: "cancel during a PATCH", where: "test/wire/interrupted.test.ts" },
  { number: 70, about: "a mirror takes no pushes", where: "not built: proxy mode" },
  { number: 106, about: "a folder that goes during the walk", where: "test/wire/faults.test.ts" },
  { number: 107, about: "a catalog of what a user may see", where: "not built: accounts" },
  {
    number: 117,
    about: "the time for 500,000 tags",
    where: "not a test: the benchmark lists large repositories",
  },
  { number: 125, about: "create-only users", where: "not built: accounts" },
  { number: 126, about: "quotas", where: "not built: accounts" },
  { number: 127, about: "immutable tags", where: "test/wire/immutable-tags.test.ts" },
  { number: 128, about: "deletes beside a collection", where: "test/crash/collection-cells.ts" },
  { number: 129, about: "the storage drivers", where: "src/storage/object-store.suite.ts" },
  { number: 130, about: "garbage collection", where: "src/gc/mark-and-sweep.test.ts" },
  { number: 131, about: "purging uploads", where: "src/gc/stale-uploads.test.ts" },
  {
    number: 132,
    about: "a database that is down",
    where: "test/wire/database-faults.test.ts",
  },
];
