/** Hands out the bytes of `chunks` as one array. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return only;
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

/**
 * Gives the memory of `piece` back at once, where it is a buffer of its own. Nobody may use it
 * afterwards. The collector would take its time: it sees small objects, not the megabytes behind
 * them, and twenty uploads were seen to leave 400 MB waiting for it.
 */
export function releaseBytes(piece: Uint8Array): void {
  const { buffer } = piece;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== piece.byteLength) return;
  buffer.transfer(0);
}
