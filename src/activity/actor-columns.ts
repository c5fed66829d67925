import type { Actor } from "./records.ts";

/** What a client sends of itself is cut to this length. */
const textLengthMax = 300;

interface ActorRow {
  readonly actor: string | null;
  readonly client: string | null;
  readonly address: string | null;
}

/** An actor as the columns that several tables have in common. */
export function actorRow(actor: Actor) {
  return {
    actor: shortenedOrNull(actor.name),
    client: shortenedOrNull(actor.client),
    address: shortenedOrNull(actor.address),
  };
}

export function actorOf(row: ActorRow): Actor {
  return {
    ...(row.actor === null ? {} : { name: row.actor }),
    ...(row.client === null ? {} : { client: row.client }),
    ...(row.address === null ? {} : { address: row.address }),
  };
}

export function shortened(text: string): string {
  return text.slice(0, textLengthMax);
}

function shortenedOrNull(text: string | undefined): string | null {
  return text === undefined ? null : shortened(text);
}
