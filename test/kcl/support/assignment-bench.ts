/** A leader's parts over a lease table in memory. */
import { CoordinatorTable } from '../../../consumer/kcl/coordinator/coordinator-table';
import { LeaderWatch } from '../../../consumer/kcl/coordinator/leader-watch';
import {
  LeaseAssignmentManager,
  type LeaseAssignmentManagerOptions,
} from '../../../consumer/kcl/coordinator/lease-assignment-manager';
import { LeaseDiscoverer } from '../../../consumer/kcl/coordinator/lease-discoverer';
import { VARIANCE_DEFAULTS } from '../../../consumer/kcl/coordinator/variance-decider';
import { reportedAttributes } from '../../../consumer/kcl/coordinator/worker-metric-stats';
import { FAILOVER, LeaseBench } from './leases';

export class AssignmentBench extends LeaseBench {
  readonly lock = {
    isHeld: true,
    released: 0,
    release: async () => void (this.lock.released++, (this.lock.isHeld = false)),
  };

  manager(options: Partial<LeaseAssignmentManagerOptions> = {}): LeaseAssignmentManager {
    const { dynamodb, clock, log, metrics, random } = this.host.dependencies;
    const leaseTable = new CoordinatorTable({
      dynamodb,
      clock,
      tableName: 'app',
      keyAttribute: 'leaseKey',
      requestTimeout: 3_000,
    });
    return new LeaseAssignmentManager({
      refresher: this.refresher,
      lock: this.lock,
      leaseTable,
      legacyMetrics: undefined,
      clock,
      random,
      log,
      metrics,
      failoverTime: FAILOVER,
      handoffTimeout: 30_000,
      balancingInterval: 60_000,
      strategy: 'WORKER_UTILIZATION_AWARE',
      limits: { maxLeasesForWorker: Number.MAX_SAFE_INTEGER, maxThroughputPerHostKBps: Number.MAX_SAFE_INTEGER },
      variance: VARIANCE_DEFAULTS,
      ...options,
    });
  }

  /** A report of just now. */
  report(workerId: string, cpu?: number): void {
    const lists = (value?: number): Record<string, number[]> => (value === undefined ? {} : { C: [value] });
    const stats = {
      workerId,
      lastUpdateTime: Math.floor(this.time.now() / 1_000),
      metricStats: lists(cpu),
      operatingRange: lists(cpu === undefined ? undefined : 100),
    };
    this.table.rows.set(workerId, {
      leaseKey: { S: workerId },
      entityType: { S: 'WORKER_METRIC_STATS' },
      ...reportedAttributes(stats),
    });
  }

  async run(manager: LeaseAssignmentManager): Promise<void> {
    await this.wait(manager.run());
  }

  watch(): LeaderWatch {
    const { clock, log } = this.host.dependencies;
    return new LeaderWatch({ refresher: this.refresher, clock, log });
  }

  discoverer(isBlocked: (key: string) => boolean = () => false): LeaseDiscoverer {
    const { clock, log, metrics } = this.host.dependencies;
    const { refresher, renewer: holder, workerId } = this;
    return new LeaseDiscoverer({
      refresher,
      holder,
      workerId,
      clock,
      log,
      metrics,
      isBlocked,
      onDiscovered: () => undefined,
    });
  }
}
