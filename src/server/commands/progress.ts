import { orAborted } from "../../base/or-aborted.ts";
import { type Sleep, systemSleep } from "../../base/sleep.ts";
import type { CommandParts } from "./command.ts";
import { countText } from "./text.ts";

/** How long a command may go on without a sign of life. */
const intervalMs = 5_000;

/** Says every five seconds how far a work is; a quick one ends without a word. */
export async function withProgress<T>(
  work: Promise<T>,
  { print, text, sleep = systemSleep }: ProgressOptions,
): Promise<T> {
  const over = new AbortController();
  const talk = async (): Promise<void> => {
    for (;;) {
      await sleep(intervalMs, over.signal);
      if (over.signal.aborted) return;
      print(text());
    }
  };
  void talk();
  try {
    return await work;
  } finally {
    over.abort();
  }
}

export interface ProgressOptions {
  readonly print: (line: string) => void;
  /** Asked for when a line is due. */
  readonly text: () => string;
  readonly sleep?: Sleep;
}

/**
 * Waits until the metadata store knows the whole storage, which can take minutes where it is new.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function whenAdopted({
  adopted,
  opened,
  print,
  signal,
  isServing,
}: Pick<CommandParts, "adopted" | "opened" | "print" | "signal" | "isServing">): Promise<void> {
  const text = (): string => {
    const { checked } = opened.registry.adoption.progress();
    const repositories = countText(checked, "repository");
    return `first the metadata is compared with the storage: ${repositories} so far`;
  };
  // A comparison of this process alone ends by the signal itself, before its database is closed.
  await withProgress(isServing ? orAborted(adopted(), signal) : adopted(), { print, text });
  signal.throwIfAborted();
}
