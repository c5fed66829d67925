/** Label values of one observation. Keep the set of values small: each makes a time series. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(amount: number, labels?: Labels): void;
  /** The one series of these labels: for what is counted at every request. */
  bind(labels: Labels): { add(amount: number): void };
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** The one series of these labels, which begins at 0: for what goes up and down at every request. */
  bind(labels: Labels): { add(amount: number): void };
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
  /** The one series of these labels: for what is measured at every request. */
  bind(labels: Labels): { observe(value: number): void };
}

export interface MetricOptions {
  /** Full name in Prometheus form, with its unit at the end. */
  readonly name: string;
  /** One sentence; it becomes the HELP line and the row in docs/reference/metrics.md. */
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
  /** For a gauge that is asked when it is read. */
  readonly read?: () => number;
}

/** Where measurements go. `telemetry/` owns the real one. */
export interface Metrics {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions): Histogram;
}

/** For works whose measurements nobody reads. */
export const silentMetrics: Metrics = {
  counter: () => ({ add: () => undefined, bind: () => ({ add: () => undefined }) }),
  gauge: () => ({ set: () => undefined, bind: () => ({ add: () => undefined }) }),
  histogram: () => ({ observe: () => undefined, bind: () => ({ observe: () => undefined }) }),
};
