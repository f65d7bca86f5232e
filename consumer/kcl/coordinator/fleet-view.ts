/** What a leader sees of its fleet in one run, and what becomes of it by the moves decided on so far. */
import { isFinished, type Lease } from '../leases/lease';
import type { ObservedLease } from '../leases/lease-taking';
import { movingAverage, type WorkerMetricStats } from './worker-metric-stats';

/** KCL's LeaseAssignmentStrategy. */
export type LeaseAssignmentStrategy = 'WORKER_UTILIZATION_AWARE' | 'LEASE_COUNT_BASED';

export interface AssignmentLimits {
  /** @see SchedulerConfig */
  readonly maxLeasesForWorker: number;
  readonly maxThroughputPerHostKBps: number;
}

/** The metric of a worker that reports none: the weight of its leases, as a percentage of an even share. */
export const THROUGHPUT = 'T';
const FULL_SHARE = 100;

export interface WorkerLoad {
  readonly workerId: string;
  /** Unfinished leases that are the worker's, or will be when their handoff is through. */
  readonly leases: Set<ObservedLease>;
  /** Of these. */
  weight: number;
  /** Utilisation in percent by metric. */
  readonly metrics: Map<string, number>;
  readonly ranges: ReadonlyMap<string, number>;
  /** Largest of its metrics relative to the fleet's average; the least loaded worker has the most headroom. */
  relativeLoad: number;
}

const UNLIMITED = Infinity;

export class FleetView {
  readonly workers: ReadonlyMap<string, WorkerLoad>;
  /** Average over the workers that have the metric. */
  readonly averages: ReadonlyMap<string, number>;
  /** While the fleet reads nothing, or nothing is known, leases weigh 1 each; else their KB/s. */
  readonly isIdle: boolean;
  private readonly averageWeight: number;
  /** An even share. */
  private readonly targetWeight: number;

  constructor(
    leases: readonly ObservedLease[],
    stats: readonly WorkerMetricStats[],
    private readonly limits: AssignmentLimits,
    /** Keys of leases that came to their owners after these had measured; they count as much as any. */
    unmeasured: ReadonlySet<string> = new Set(),
  ) {
    const active = leases.filter(({ lease }) => !isFinished(lease));
    const known = active.flatMap(({ lease }) => lease.throughputKBps ?? []);
    const averageKBps = known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
    this.isIdle = averageKBps === 0;
    this.averageWeight = this.isIdle ? 1 : averageKBps;
    this.targetWeight = (this.averageWeight * Math.max(1, active.length)) / Math.max(1, stats.length);
    this.workers = new Map(stats.map((one) => [one.workerId, newLoad(one)]));
    for (const seen of active) this.place(seen, seen.lease.leaseOwner);
    for (const load of this.workers.values()) this.synthesise(load);
    this.averages = averagesOf([...this.workers.values()]);
    for (const { lease } of active.filter(({ lease }) => unmeasured.has(lease.leaseKey))) this.anticipate(lease);
    for (const load of this.workers.values()) this.refresh(load);
  }

  /** The average where the lease was never read. */
  weightOf(lease: Lease): number {
    return this.isIdle ? 1 : (lease.throughputKBps ?? this.averageWeight);
  }

  canTakeMore(load: WorkerLoad): boolean {
    const fits = this.isIdle || load.weight <= this.limits.maxThroughputPerHostKBps;
    return fits && load.leases.size < this.limits.maxLeasesForWorker;
  }

  /** The worker with the most headroom; of equals the one with the fewest leases. */
  leastLoaded(): WorkerLoad | undefined {
    let best: WorkerLoad | undefined;
    for (const load of this.workers.values()) {
      if (!this.canTakeMore(load)) continue;
      const less = best === undefined || load.relativeLoad < best.relativeLoad;
      if (less || (load.relativeLoad === best?.relativeLoad && load.leases.size < best.leases.size)) best = load;
    }
    return best;
  }

  /** What a metric of a worker would be with the lease added: as much more as the fleet's average has of it per weight. */
  withLease(load: WorkerLoad, metric: string, lease: Lease): number {
    const average = this.averages.get(metric) ?? 0;
    return (load.metrics.get(metric) ?? 0) + (average * this.weightOf(lease)) / this.targetWeight;
  }

  /** Gives the lease to the worker. Its present owner's metrics stay what was measured, as in KCL. */
  move(seen: ObservedLease, to: WorkerLoad): void {
    const from = this.workers.get(seen.lease.leaseOwner ?? '');
    if (from?.leases.delete(seen)) from.weight -= this.weightOf(seen.lease);
    this.weigh(to, seen.lease);
    this.place(seen, to.workerId);
    this.refresh(to);
  }

  /** What a worker without metrics reads is counted already. */
  private anticipate(lease: Lease): void {
    const load = this.workers.get(lease.leaseOwner ?? '');
    if (load && !load.metrics.has(THROUGHPUT)) this.weigh(load, lease);
  }

  private weigh(load: WorkerLoad, lease: Lease): void {
    for (const metric of load.metrics.keys()) load.metrics.set(metric, this.withLease(load, metric, lease));
  }

  private place(seen: ObservedLease, workerId: string | undefined): void {
    const load = this.workers.get(workerId ?? '');
    if (!load) return;
    load.leases.add(seen);
    load.weight += this.weightOf(seen.lease);
  }

  /** A worker without metrics is judged by what it reads. */
  private synthesise(load: WorkerLoad): void {
    if (load.metrics.size > 0) return;
    load.metrics.set(THROUGHPUT, (load.weight / this.targetWeight) * FULL_SHARE);
  }

  private refresh(load: WorkerLoad): void {
    let largest = 0;
    for (const [metric, value] of load.metrics) {
      const average = this.averages.get(metric) ?? 0;
      largest = Math.max(largest, value === 0 ? 0 : value / average);
    }
    load.relativeLoad = largest;
  }
}

function newLoad({ workerId, metricStats, operatingRange }: WorkerMetricStats): WorkerLoad {
  const metrics = Object.entries(metricStats).map(([name, values]) => [name, movingAverage(values)] as const);
  const ranges = Object.entries(operatingRange).map(([name, range]) => [name, range[0] ?? UNLIMITED] as const);
  return {
    workerId,
    leases: new Set(),
    weight: 0,
    metrics: new Map(metrics),
    ranges: new Map(metrics.length === 0 ? [[THROUGHPUT, FULL_SHARE]] : ranges),
    relativeLoad: 0,
  };
}

function averagesOf(loads: readonly WorkerLoad[]): Map<string, number> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const { metrics } of loads) {
    for (const [name, value] of metrics) {
      const entry = sums.get(name) ?? { sum: 0, count: 0 };
      sums.set(name, { sum: entry.sum + value, count: entry.count + 1 });
    }
  }
  return new Map([...sums].map(([name, { sum, count }]) => [name, sum / count]));
}
