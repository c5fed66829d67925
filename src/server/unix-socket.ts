import { lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { codeOf } from "../base/errors.ts";

/**
 * Removes the socket that an earlier process left at `path`, which would keep this one from
 * listening. What is not a socket, or is one where somebody answers, is not touched: opening the
 * new socket then fails, and says why.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isSocket() || (await isAnswered(path))) return;
  unlinkSync(path);
}

/** False only when the system says that nobody listens. */
async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path });
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
