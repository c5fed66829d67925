/**
 * A program of its own for the crash tests: pushes images into a derived store, one after the
 * other, and prints the number of each after it is recorded.
 *
 *   bun metadata-writer.ts <database> <repository> <count>
 */

import { imageRecord, tagRecord } from "../../../src/metadata/metadata-samples.ts";
import { openMetadataStore } from "../../../src/metadata/sql-metadata-store.ts";
import { nameOf } from "../../../src/oci/test-support.ts";

const [path = "", name = "", count = "0"] = process.argv.slice(2);
const repository = nameOf(name);
const store = await openMetadataStore({ kind: "sqlite", path });
for (let index = 0; index < Number(count); index += 1) {
  const layers = Array.from({ length: 40 }, (_, layer) => `layer ${layer % 7} of ${index}`);
  const image = imageRecord(`image ${index}`, { layers, annotations: { a: "1", b: "2" } });
  await store.recordPush(repository, image, [tagRecord(`t${index}`, image)]);
  process.stdout.write(`${index}\n`);
}
await store.close();
