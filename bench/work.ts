/** One row of the table: what is done, by whom, and what a measurement of it holds. */
import type { Dataset } from "./dataset.ts";
import type { Peer } from "./peers/peer.ts";
import type { ServerPool } from "./server-pool.ts";
import type { Settings } from "./settings.ts";

export interface Work {
  readonly id: string;
  readonly title: string;
  /** Of a measurement's `value`. */
  readonly unit: "requests/s" | "images/s" | "GB/s" | "MB" | "ms" | "s" | "% slower";
  readonly isHigherBetter: boolean;
  readonly rounds: number;
  /** Who can do it at all; those that are not installed are left out by the runner. */
  readonly contestants: readonly string[];
  /** What was compared with what, so that a fast wrong answer does not win. */
  readonly checked: string;
  readonly open: (context: Context) => Promise<Session>;
}

export interface Context {
  readonly settings: Settings;
  readonly dataset: Dataset;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly pool: ServerPool;
}

export interface Session {
  /** Does the work once. The first call for each contestant is a warm-up and not counted. */
  readonly measure: (contestant: string) => Promise<Measurement>;
  readonly close: () => Promise<void>;
}

export interface Measurement {
  readonly value: number;
  readonly serverTicks?: number;
  readonly peakMemoryBytes?: number;
  /** Processor time of the load generator, in ticks of 10 ms. */
  readonly clientTicks?: number;
  /** Of everything on the machine: what is neither the server's nor the client's is noise. */
  readonly machineTicks?: number;
  readonly elapsedMs?: number;
  readonly facts: Readonly<Record<string, number | string>>;
}

export const registries = ["berth", "distribution-3", "distribution-2"] as const;
export const servers = [...registries, "nginx"] as const;
