/** Metrics out of the container's log, by the definitions that the algorithm brings: the last value of each. */

export interface FinalMetric {
  readonly MetricName: string;
  readonly Value: number;
  /** Epoch seconds. */
  readonly Timestamp: number;
}

const ROUND = /\[\d+\]#011/;
const VALUE = /#011(train|validation)-([^:#\s]+):([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)/g;

export class FinalMetrics {
  private readonly last = new Map<string, FinalMetric>();

  /** @param time epoch milliseconds */
  read(line: string, time: number): void {
    if (!ROUND.test(line)) return;
    for (const [, set, metric, value] of line.matchAll(VALUE)) {
      const MetricName = `${set}:${metric}`;
      this.last.set(MetricName, { MetricName, Value: Number(value), Timestamp: time / 1000 });
    }
  }

  list(): FinalMetric[] {
    return [...this.last.values()];
  }
}
