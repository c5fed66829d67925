import { expect, test } from "bun:test";
import { createPrometheus } from "./prometheus.ts";

test("bound counters and histograms read like any others", async () => {
  const metrics = createPrometheus();
  const counter = metrics.counter({ name: "c_total", help: "C.", labels: ["a"] });
  counter.bind({ a: "x" }).add(2);
  counter.add(1, { a: "x" });
  const histogram = metrics.histogram({
    name: "h_seconds",
    help: "H.",
    labels: ["a"],
    buckets: [1, 2],
  });
  const series = histogram.bind({ a: "x" });
  for (const value of [0.5, 1, 1.5, 9]) series.observe(value);
  histogram.observe(1, { a: "x" });
  metrics.gauge({ name: "g", help: "G.", read: () => 7 });
  const running = metrics.gauge({ name: "g_running", help: "G.", labels: ["a"] }).bind({ a: "x" });
  for (const amount of [1, 1, -1]) running.add(amount);
  const lines = (await metrics.render()).split("\n").filter((line) => /^(c_|h_|g |g_)/.test(line));
  expect(lines).toEqual([
    'c_total{a="x"} 3',
    'h_seconds_bucket{a="x",le="1"} 3',
    'h_seconds_bucket{a="x",le="2"} 4',
    'h_seconds_bucket{a="x",le="+Inf"} 5',
    'h_seconds_sum{a="x"} 13',
    'h_seconds_count{a="x"} 5',
    "g 7",
    'g_running{a="x"} 1',
  ]);
  expect(await metrics.render()).toContain('c_total{a="x"} 3');
});
