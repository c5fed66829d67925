import type { Kysely } from "kysely";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { MetadataTables } from "./tables.ts";

/** The id of a blob as a scalar subquery: the tables refer to digests by it. */
export function blobId(
  query: Kysely<MetadataTables>,
  param: Placeholders<{ readonly digest: Digest }>,
) {
  return query.selectFrom("blobs").select("blobs.id").where("blobs.digest", "=", param.digest);
}
