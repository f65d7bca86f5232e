/**
 * KCL's metrics as CloudWatch's embedded metric format: JSON lines that CloudWatch Logs turns into metrics. Namespace and
 * dimensions are the KCL's (namespace = application name; Operation, ShardId, …), so its dashboards and alarms go on working.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { MetricDimension, MetricsFactory, MetricUnit } from '../dependencies';
import { isPublished, type MetricsLevel } from './levels';

export interface EmfOptions {
  /** KCL's is the application name. */
  readonly namespace: string;
  /** Takes one line with its line break. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Only metrics of these operations are written. @default all */
  readonly operations?: readonly string[];
  /** KCL's metricsLevel. @default DETAILED */
  readonly level?: MetricsLevel;
}

interface Series {
  readonly unit: MetricUnit;
  readonly values: number[];
}

/** Values of a metric that one document may hold, by the specification. */
const MAX_VALUES = 100;

interface Group {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly series: Map<string, Series>;
}

/** Gathers scopes of the same dimensions and writes them together. */
export class EmfMetrics implements MetricsFactory {
  private readonly groups = new Map<string, Group>();

  constructor(private readonly options: EmfOptions) {}

  scope(operation: string): ReturnType<MetricsFactory['scope']> {
    const dimensions: Record<string, string> = { Operation: operation };
    const added: (readonly [string, number, MetricUnit])[] = [];
    return {
      add: (name, value, unit) => void added.push([name, value, unit]),
      dimension: (name: MetricDimension, value) => void (dimensions[name] = value),
      end: () => {
        const { operations, level = 'DETAILED' } = this.options;
        if (operations?.includes(operation) === false) return;
        for (const [name, value, unit] of added) {
          if (isPublished(level, operation, name)) this.record(dimensions, name, value, unit);
        }
      },
    };
  }

  /** Writes what was gathered. Call it now and then (KCL: every 10 s), and at the end. */
  flush(): void {
    for (const { dimensions, series } of this.groups.values()) {
      const metrics = [...series].map(([Name, { unit }]) => ({ Name, Unit: unit }));
      const values = [...series].map(([name, { values: list }]) => [name, list.length === 1 ? list[0] : list]);
      this.options.write(
        `${JSON.stringify({
          _aws: {
            Timestamp: this.options.now(),
            CloudWatchMetrics: [
              { Namespace: this.options.namespace, Dimensions: [Object.keys(dimensions)], Metrics: metrics },
            ],
          },
          ...dimensions,
          ...Object.fromEntries(values),
        })}\n`,
      );
    }
    this.groups.clear();
  }

  private record(dimensions: Readonly<Record<string, string>>, name: string, value: number, unit: MetricUnit): void {
    const key = JSON.stringify(dimensions);
    let group = this.groups.get(key);
    if (!group) this.groups.set(key, (group = { dimensions: { ...dimensions }, series: new Map() }));
    const series = group.series.get(name);
    if (!series) group.series.set(name, { unit, values: [value] });
    else {
      series.values.push(value);
      if (series.values.length >= MAX_VALUES) this.flush();
    }
  }
}
