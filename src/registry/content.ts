import type { Content as StoredContent } from "../storage/object-store.ts";

/** Bytes on their way out; the wire may name them without knowing where they are kept. */
export type Content = StoredContent;
