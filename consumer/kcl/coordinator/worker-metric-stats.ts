/**
 * A worker's row of metrics, by which a leader of KCL 3 sees that it lives and how busy it is (KCL's WorkerMetricStats).
 * Its lists hold the last averages, oldest first; −1 stands for a measurement that failed.
 */
import type { AttributeValue, Item } from '../dependencies';

export const WORKER_METRIC_STATS = 'WORKER_METRIC_STATS';

export interface WorkerMetricStats {
  readonly workerId: string;
  /** Epoch seconds of the writer's clock: clocks of a fleet must agree to within a minute. */
  readonly lastUpdateTime: number;
  /** By short name (C cpu, M memory, NI, NO network, T throughput): utilisation in percent. Empty: the worker has no metric. */
  readonly metricStats: Readonly<Record<string, readonly number[]>>;
  /** By short name; the first element is the utilisation in percent above which load is taken away. */
  readonly operatingRange: Readonly<Record<string, readonly number[]>>;
}

/** Reports come every 30 s; who missed two has gone. */
export const REPORT_INTERVAL_MILLIS = 30_000;
const LIVE_SECONDS = 60;
/** A row this old is deleted by the leader. */
const STALE_SECONDS = 86_400;
/** This worker understands leases, metrics and coordinator state in one table; a Java fleet waits for it to move its tables. */
const SUPPORT_CODE = 1;
const CAPTURE_FAILED = -1;
/** Weight of the newer value in KCL's moving average. */
const ALPHA = 0.5;

/** @param now epoch milliseconds */
export function isLive(stats: WorkerMetricStats, now: number): boolean {
  return now / 1_000 - stats.lastUpdateTime <= LIVE_SECONDS;
}

/** @param now epoch milliseconds */
export function isStale(stats: WorkerMetricStats, now: number): boolean {
  return now / 1_000 - stats.lastUpdateTime > STALE_SECONDS;
}

/** The last measurement of some metric failed: the worker cannot be judged, and gets nothing. */
export function isFailing(stats: WorkerMetricStats): boolean {
  return Object.values(stats.metricStats).some((values) => values.at(-1) === CAPTURE_FAILED);
}

/** Every metric has a range, and no range is zero. */
export function isValid({ metricStats, operatingRange }: WorkerMetricStats): boolean {
  return (
    Object.keys(metricStats).every((name) => operatingRange[name] !== undefined) &&
    Object.values(operatingRange).every((range) => (range[0] ?? 0) > 0)
  );
}

/** Moving average over the measurements that succeeded; 0 where there are none. */
export function movingAverage(values: readonly number[]): number {
  let average: number | undefined;
  for (const value of values) {
    if (value === CAPTURE_FAILED) continue;
    average = average === undefined ? value : ALPHA * value + (1 - ALPHA) * average;
  }
  return average ?? 0;
}

const numbers = (attribute: AttributeValue | undefined): Record<string, readonly number[]> =>
  Object.fromEntries(
    Object.entries(attribute?.M ?? {}).map(([name, list]) => [name, (list.L ?? []).map((value) => Number(value.N))]),
  );

const attribute = (lists: Readonly<Record<string, readonly number[]>>): AttributeValue => ({
  M: Object.fromEntries(
    Object.entries(lists).map(([name, values]) => [name, { L: values.map((value) => ({ N: String(value) })) }]),
  ),
});

/**
 * @param keyAttribute `leaseKey` in the lease table, `wid` in the table of its own that KCL 3.0 to 3.4 have
 * @returns undefined for a row that cannot be read
 */
export function statsFromItem(item: Item, keyAttribute: string): WorkerMetricStats | undefined {
  const workerId = item[keyAttribute]?.S;
  const stats = {
    lastUpdateTime: Number(item['lut']?.N ?? 0),
    metricStats: numbers(item['sts']),
    operatingRange: numbers(item['opr']),
  };
  const all = [...Object.values(stats.metricStats), ...Object.values(stats.operatingRange)].flat();
  return workerId === undefined || all.some(Number.isNaN) ? undefined : { workerId, ...stats };
}

/** What a report writes; the row's other attributes stay. */
export function reportedAttributes({ lastUpdateTime, metricStats, operatingRange }: WorkerMetricStats): Item {
  const now = { N: String(lastUpdateTime) };
  return {
    lut: now,
    sts: attribute(metricStats),
    opr: attribute(operatingRange),
    sup: { N: String(SUPPORT_CODE) },
    slu: now,
  };
}
