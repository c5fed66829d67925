import * as prom from "prom-client";
import type { MetricOptions, Metrics } from "../base/metrics.ts";

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
        bind(labels) {
          // Counted here and handed over when somebody reads: the library hashes labels each time.
          let waiting = 0;
          asked.push(() => {
            counter.inc(labels, waiting);
            waiting = 0;
          });
          return {
            add: (amount) => {
              waiting += amount;
            },
          };
        },
      };
    },
    gauge(options) {
      const gauge = new prom.Gauge(common(options));
      const { read } = options;
      if (read !== undefined) asked.push(() => gauge.set(read()));
      return { set: (value, labels = {}) => gauge.set(labels, value) };
    },
    histogram(options) {
      const { buckets } = options;
      const histogram = new prom.Histogram({
        ...common(options),
        ...(buckets !== undefined && { buckets: [...buckets] }),
      });
      return {
        observe: (value, labels = {}) => histogram.observe(labels, value),
        bind(labels) {
          const series = histogram.labels(labels);
          return { observe: (value) => series.observe(value) };
        },
      };
    },
  };
}
