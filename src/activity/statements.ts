import type { Database } from "../database/database.ts";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { ActivityTables } from "./tables.ts";

type ActivityDatabase = Database<ActivityTables>;
type In = { readonly repository: RepositoryName };
type Back = { readonly before: number; readonly limit: number };

export function prepareReading(database: ActivityDatabase) {
  return { ...prepareEventReading(database), ...preparePullReading(database) };
}

function prepareEventReading(database: ActivityDatabase) {
  return {
    tagEvents: database.prepare((query, param: Placeholders<In & Back>) =>
      query
        .selectFrom("tag_events")
        .selectAll()
        .where("repository", "=", param.repository)
        .where("id", "<", param.before)
        .orderBy("id", "desc")
        .limit(param.limit),
    ),
    tagEventsOfTag: database.prepare((query, param: Placeholders<In & Back & { tag: Tag }>) =>
      query
        .selectFrom("tag_events")
        .selectAll()
        .where("repository", "=", param.repository)
        .where("tag", "=", param.tag)
        .where("id", "<", param.before)
        .orderBy("id", "desc")
        .limit(param.limit),
    ),
    lastUntagged: database.prepare((query, param: Placeholders<In>) =>
      query
        .selectFrom("tag_events")
        .select("digest_before")
        .select(({ fn }) => fn.max<number | string, "at_ms">("at_ms").as("last_at_ms"))
        .where("repository", "=", param.repository)
        .where("digest_before", "is not", null)
        // A push of what the tag pointed to already is recorded too, and took it away from nothing.
        .where((eb) =>
          eb.or([
            eb("digest_after", "is", null),
            eb("digest_after", "!=", eb.ref("digest_before")),
          ]),
        )
        .groupBy("digest_before"),
    ),
    attempts: database.prepare((query, param: Placeholders<Back>) =>
      query
        .selectFrom("attempts")
        .selectAll()
        .where("id", "<", param.before)
        .orderBy("id", "desc")
        .limit(param.limit),
    ),
    attemptsOfRepository: database.prepare((query, param: Placeholders<In & Back>) =>
      query
        .selectFrom("attempts")
        .selectAll()
        .where("repository", "=", param.repository)
        .where("id", "<", param.before)
        .orderBy("id", "desc")
        .limit(param.limit),
    ),
    audit: database.prepare((query, param: Placeholders<Back>) =>
      query
        .selectFrom("audit")
        .selectAll()
        .where("id", "<", param.before)
        .orderBy("id", "desc")
        .limit(param.limit),
    ),
  };
}

function preparePullReading(database: ActivityDatabase) {
  return {
    pullsOfManifest: database.prepare((query, param: Placeholders<In & { digest: Digest }>) =>
      query
        .selectFrom("pulls")
        .select(({ fn }) => [
          fn.sum<number | string | null>("count").as("count"),
          fn.max<number | string | null, "last_at_ms">("last_at_ms").as("last_at_ms"),
        ])
        .where("repository", "=", param.repository)
        .where("digest", "=", param.digest),
    ),
    pullsOfTag: database.prepare((query, param: Placeholders<In & { tag: Tag }>) =>
      query
        .selectFrom("pulls")
        .select(({ fn }) => [
          fn.sum<number | string | null>("count").as("count"),
          fn.max<number | string | null, "last_at_ms">("last_at_ms").as("last_at_ms"),
        ])
        .where("repository", "=", param.repository)
        .where("tag", "=", param.tag),
    ),
    lastPulls: database.prepare((query, param: Placeholders<In>) =>
      query
        .selectFrom("pulls")
        .select(["digest", "tag", "last_at_ms"])
        .where("repository", "=", param.repository),
    ),
    pullsByDay: database.prepare((query, param: Placeholders<In & { sinceDay: number }>) =>
      query
        .selectFrom("pull_days")
        .select(["day", "count"])
        .where("repository", "=", param.repository)
        .where("day", ">=", param.sinceDay)
        .orderBy("day"),
    ),
  };
}

type ActorArguments = { actor: string | null; client: string | null; address: string | null };
type EventArguments = ActorArguments & { atMs: number };

type TagEventArguments = EventArguments &
  In & { tag: Tag; before: Digest | null; after: Digest | null };
type AttemptArguments = EventArguments & In & { reason: string; requestId: string };
type AuditArguments = EventArguments & { action: string; target: string; details: string | null };
type PullArguments = In & { digest: Digest; tag: Tag | ""; count: number; lastAtMs: number };
type PullDayArguments = In & { day: number; count: number };

export function prepareWriting(database: ActivityDatabase) {
  return { ...prepareEventWriting(database), ...preparePullWriting(database) };
}

function actorValues(param: Placeholders<EventArguments>) {
  return {
    at_ms: param.atMs,
    actor: param.actor,
    client: param.client,
    address: param.address,
  };
}

function prepareEventWriting(database: ActivityDatabase) {
  return {
    tagEvent: database.prepare((query, param: Placeholders<TagEventArguments>) =>
      query.insertInto("tag_events").values({
        ...actorValues(param),
        repository: param.repository,
        tag: param.tag,
        digest_before: param.before,
        digest_after: param.after,
      }),
    ),
    attempt: database.prepare((query, param: Placeholders<AttemptArguments>) =>
      query.insertInto("attempts").values({
        ...actorValues(param),
        repository: param.repository,
        reason: param.reason,
        request_id: param.requestId,
      }),
    ),
    /** Removes all but the newest: those up to the one that comes after `skip` newer ones. */
    trimAttempts: database.prepare((query, param: Placeholders<{ skip: number }>) =>
      query
        .deleteFrom("attempts")
        .where("id", "<=", (eb) =>
          eb.selectFrom("attempts").select("id").orderBy("id", "desc").limit(1).offset(param.skip),
        ),
    ),
    audit: database.prepare((query, param: Placeholders<AuditArguments>) =>
      query.insertInto("audit").values({
        ...actorValues(param),
        action: param.action,
        target: param.target,
        details: param.details,
      }),
    ),
  };
}

function preparePullWriting(database: ActivityDatabase) {
  return {
    pull: database.prepare((query, param: Placeholders<PullArguments>) =>
      query
        .insertInto("pulls")
        .values({
          repository: param.repository,
          digest: param.digest,
          tag: param.tag,
          count: param.count,
          last_at_ms: param.lastAtMs,
        })
        .onConflict((conflict) =>
          conflict.columns(["repository", "digest", "tag"]).doUpdateSet((eb) => ({
            count: eb("pulls.count", "+", eb.ref("excluded.count")),
            last_at_ms: eb
              .case()
              .when("excluded.last_at_ms", ">", eb.ref("pulls.last_at_ms"))
              .then(eb.ref("excluded.last_at_ms"))
              .else(eb.ref("pulls.last_at_ms"))
              .end(),
          })),
        ),
    ),
    pullDay: database.prepare((query, param: Placeholders<PullDayArguments>) =>
      query
        .insertInto("pull_days")
        .values({ repository: param.repository, day: param.day, count: param.count })
        .onConflict((conflict) =>
          conflict.columns(["repository", "day"]).doUpdateSet((eb) => ({
            count: eb("pull_days.count", "+", eb.ref("excluded.count")),
          })),
        ),
    ),
  };
}
