/** Waits for that many turns of the microtask queue: a delay that no clock has a part in. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}
