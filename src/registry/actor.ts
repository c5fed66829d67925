import type { Actor as RecordedActor } from "../activity/records.ts";

/** Who asks for a change; the wire may name it without knowing where it is recorded. */
export type Actor = RecordedActor;
