/** Tells the leader every 30 s that this worker lives and how busy it is (KCL's WorkerMetricStatsManager and -Reporter). */
import type { Clock, Log, MetricsFactory, WorkerMetric } from '../dependencies';
import { describeError } from '../common/errors';
import type { CoordinatorTable } from './coordinator-table';
import { reportedAttributes, WORKER_METRIC_STATS, type WorkerMetricStats } from './worker-metric-stats';

export interface WorkerMetricsReporterOptions {
  readonly table: CoordinatorTable;
  readonly workerId: string;
  readonly workerMetrics: readonly WorkerMetric[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
}

/** Averages in a row, as in KCL. */
const KEPT_VALUES = 10;
const CAPTURE_FAILED = -1;

export class WorkerMetricsReporter {
  private readonly values = new Map<string, readonly number[]>();

  constructor(private readonly options: WorkerMetricsReporterOptions) {}

  /** @throws the service's error */
  async report(): Promise<void> {
    const { table, workerId, metrics } = this.options;
    const scope = metrics.scope('WorkerMetricStatsReporter');
    scope.dimension('WorkerIdentifier', workerId);
    let success = 0;
    try {
      for (const metric of this.options.workerMetrics) await this.capture(metric);
      // In the lease table the type tells the row from a lease; in the table of its own it does no harm.
      await table.update(workerId, { entityType: { S: WORKER_METRIC_STATS }, ...reportedAttributes(this.stats()) });
      success = 1;
    } finally {
      scope.add('Success', success, 'Count');
      scope.end();
    }
  }

  /** For a worker that leaves: it is given nothing more. Never throws: the row goes stale by itself. */
  async withdraw(): Promise<void> {
    try {
      await this.options.table.delete(this.options.workerId);
    } catch (error) {
      this.options.log('warn', 'the row of worker metrics could not be deleted', { error: describeError(error) });
    }
  }

  private stats(): WorkerMetricStats {
    const { workerId, clock, workerMetrics } = this.options;
    return {
      workerId,
      lastUpdateTime: Math.floor(clock.now() / 1_000),
      metricStats: Object.fromEntries(this.values),
      operatingRange: Object.fromEntries(
        workerMetrics.map(({ shortName, maxUtilization }) => [shortName, [Math.round(maxUtilization)]]),
      ),
    };
  }

  private async capture(metric: WorkerMetric): Promise<void> {
    let value: number;
    try {
      value = await metric.capture();
    } catch (error) {
      value = CAPTURE_FAILED;
      this.options.log('warn', 'a worker metric could not be measured: this worker is given no leases meanwhile', {
        reason: metric.shortName,
        error: describeError(error),
      });
    }
    const before = this.values.get(metric.shortName) ?? [];
    this.values.set(metric.shortName, [...before, value].slice(-KEPT_VALUES));
  }
}
