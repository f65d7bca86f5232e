/** Structured logs and metrics on stdout, one JSON object a line. Never a payload, a topic or a value of a reading. */
import type { Log, Metrics } from './lake/clock';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export function jsonLog(write: (line: string) => void, now: () => number, least: Level = 'info'): Log {
  return (level, event, fields) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, event, ...fields })}\n`);
  };
}

/**
 * Counts in CloudWatch's embedded metric format, added up between two calls of `publish`.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export class EmbeddedMetrics {
  private counts = new Map<string, number>();

  constructor(
    private readonly namespace: string,
    private readonly write: (line: string) => void,
    private readonly now: () => number,
  ) {}

  readonly count: Metrics = (name, value) => {
    if (value !== 0) this.counts.set(name, (this.counts.get(name) ?? 0) + value);
  };

  publish(): void {
    if (this.counts.size === 0) return;
    const counts = this.counts;
    this.counts = new Map();
    const metrics = [...counts.keys()].map((Name) => ({ Name, Unit: 'Count' }));
    const directive = { Namespace: this.namespace, Dimensions: [[]], Metrics: metrics };
    this.write(
      `${JSON.stringify({ _aws: { Timestamp: this.now(), CloudWatchMetrics: [directive] }, ...Object.fromEntries(counts) })}\n`,
    );
  }
}
