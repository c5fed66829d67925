import * as prom from "prom-client";
import type { Labels, MetricOptions, Metrics } from "../base/metrics.ts";

/** The metrics of this process, and the page that Prometheus reads. */
export interface PrometheusMetrics extends Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

export function createPrometheus(): PrometheusMetrics {
  const registry = new prom.Registry();
  prom.collectDefaultMetrics({ register: registry });
  const asked: (() => void)[] = [];
  const common = ({ name, help, labels }: MetricOptions) => ({
    name,
    help,
    labelNames: [...(labels ?? [])],
    registers: [registry],
  });
  /** Counted here and handed over when somebody reads: the library hashes labels each time. */
  const bound = (handOver: (amount: number) => void): { add(amount: number): void } => {
    let waiting = 0;
    asked.push(() => {
      handOver(waiting);
      waiting = 0;
    });
    return {
      add: (amount) => {
        waiting += amount;
      },
    };
  };
  return {
    contentType: registry.contentType,
    render() {
      for (const ask of asked) ask();
      return registry.metrics();
    },
    counter(options) {
      const counter = new prom.Counter(common(options));
      return {
        add: (amount, labels = {}) => counter.inc(labels, amount),
        bind: (labels) => bound((amount) => counter.inc(labels, amount)),
      };
    },
    gauge(options) {
      const gauge = new prom.Gauge(common(options));
      const { read } = options;
      if (read !== undefined) asked.push(() => gauge.set(read()));
      return {
        set: (value, labels = {}) => gauge.set(labels, value),
        bind: (labels) => bound((amount) => gauge.inc(labels, amount)),
      };
    },
    histogram(options) {
      const histogram = new SeriesHistogram(common(options), options.buckets ?? []);
      return {
        observe: (value, labels = {}) => histogram.bind(labels).observe(value),
        bind: (labels) => histogram.bind(labels),
      };
    },
  };
}

interface Series {
  readonly labels: Labels;
  /** One more than there are bounds: the last for everything above. */
  readonly counts: Float64Array;
  sum: number;
}

/**
 * A histogram whose series are looked up once and then counted in place: the library hashes the
 * labels at every observation, which costs more than the rest of a small request's bookkeeping.
 */
class SeriesHistogram extends prom.Histogram {
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();
  readonly #name: string;
  readonly #help: string;

  constructor(
    options: { name: string; help: string; labelNames: string[]; registers: prom.Registry[] },
    bounds: readonly number[],
  ) {
    super({ ...options, buckets: [...bounds] });
    this.#bounds = bounds;
    this.#name = options.name;
    this.#help = options.help;
  }

  bind(labels: Labels): { observe(value: number): void } {
    const key = JSON.stringify(labels);
    const known = this.#series.get(key);
    const series = known ?? {
      labels,
      counts: new Float64Array(this.#bounds.length + 1),
      sum: 0,
    };
    this.#series.set(key, series);
    return {
      observe: (value) => {
        const index = this.#bounds.findIndex((bound) => value <= bound);
        const slot = index === -1 ? this.#bounds.length : index;
        series.counts[slot] = (series.counts[slot] ?? 0) + 1;
        series.sum += value;
      },
    };
  }

  /** What the library asks of a histogram, also for `get`: it finds no series of its own. */
  async getForPromString(): Promise<{
    readonly name: string;
    readonly help: string;
    readonly type: "histogram";
    readonly values: readonly prom.MetricValueWithName<string>[];
  }> {
    const values = [...this.#series.values()].flatMap((series) => this.#valuesOf(series));
    return { name: this.#name, help: this.#help, type: "histogram", values };
  }

  #valuesOf({ labels, counts, sum }: Series): prom.MetricValueWithName<string>[] {
    let count = 0;
    const buckets = [...counts].map((own, index) => {
      count += own;
      const le = this.#bounds[index] ?? "+Inf";
      return { labels: { ...labels, le }, value: count, metricName: `${this.#name}_bucket` };
    });
    return [
      ...buckets,
      { labels, value: sum, metricName: `${this.#name}_sum` },
      { labels, value: count, metricName: `${this.#name}_count` },
    ];
  }
}
