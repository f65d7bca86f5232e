/**
 * Workers of this library in virtual time. Theirs are: joining the fleet, the look at their own rows at the start, the choice of the lease
 * source with all that belongs to it (taker; or leader lock, assignment, discovery, worker metrics), renewals, handoffs, the audit, and
 * the requests of all of these. Modelled are DynamoDB, the CPU metric, and the record processors, which only end their batch when told to.
 */
import { resolveConfig, type SchedulerConfig } from '../../consumer/kcl/config';
import { chooseLeaseSource } from '../../consumer/kcl/coordinator/choose-lease-source';
import { joinFleet } from '../../consumer/kcl/coordinator/join-fleet';
import { MAX_HASH_KEY } from '../../consumer/kcl/common/hash-key-range';
import { Wakeup } from '../../consumer/kcl/common/timing';
import type { Dependencies, Item, KinesisApi } from '../../consumer/kcl/dependencies';
import {
  DynamoDbLeaseRefresher,
  type DynamoDbLeaseRefresherOptions,
} from '../../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import type { Lease } from '../../consumer/kcl/leases/lease';
import { holdOwnLeases, type LeaseHolder } from '../../consumer/kcl/leases/lease-holder';
import { LeaseRenewer } from '../../consumer/kcl/leases/lease-renewer';
import { isLeaseItem, leaseFromItem } from '../../consumer/kcl/leases/lease-serializer';
import type { LeaseSource } from '../../consumer/kcl/leases/lease-source';
import { LeaseGracefulShutdownHandler } from '../../consumer/kcl/lifecycle/lease-graceful-shutdown-handler';
import type { ShardConsumer } from '../../consumer/kcl/lifecycle/shard-consumer';
import { PeriodicShardSyncManager } from '../../consumer/kcl/shards/periodic-shard-sync-manager';
import { ShardDetector } from '../../consumer/kcl/shards/shard-detector';
import { seededRandom } from '../../test/kcl/support/virtual-time';
import {
  BATCH_MILLIS,
  CPU_AT_START,
  KBPS_PER_SHARD,
  shardIdOf,
  type FleetSize,
  type Shares,
  type SimulatedFleet,
} from './fleet';
import { Meter } from './meter';
import { MeteredTable } from './metered-table';
import { VirtualClock, VirtualProcess } from './virtual-process';

/** How often records are accounted for. */
const PROCESS_MILLIS = 5_000;
const HANDOFF_LOOP_MILLIS = 1_000;

/** Rows are replaced, never edited, so what was parsed once needs no second time: the one thing left out of a scan, for speed. */
const parsed = new WeakMap<Item, Lease>();

class ScanningRefresher extends DynamoDbLeaseRefresher {
  constructor(private readonly scanOptions: DynamoDbLeaseRefresherOptions) {
    super(scanOptions);
  }

  override async readTable(): Promise<{ leases: readonly Lease[]; others: readonly Item[] }> {
    const { dynamodb, tableName } = this.scanOptions;
    const leases: Lease[] = [];
    const others: Item[] = [];
    for (let start: Item | undefined; ;) {
      const from = start === undefined ? {} : { ExclusiveStartKey: start };
      const page = await dynamodb.scan({ TableName: tableName, ConsistentRead: true, ...from });
      for (const item of page.Items) {
        let lease = parsed.get(item);
        if (!lease && isLeaseItem(item)) parsed.set(item, (lease = leaseFromItem(item)));
        if (lease) leases.push(lease);
        else others.push(item);
      }
      start = page.LastEvaluatedKey;
      if (start === undefined) return { leases, others };
    }
  }
}

/** Nothing here reads the stream. */
const noKinesis: KinesisApi = {
  listShards: () => Promise.reject(new Error('not simulated')),
  getShardIterator: () => Promise.reject(new Error('not simulated')),
  getRecords: () => Promise.reject(new Error('not simulated')),
};

class SimulatedWorker {
  readonly holder: LeaseHolder;
  private source: LeaseSource | undefined;
  private readonly wakeup: Wakeup;
  private readonly handoffs: LeaseGracefulShutdownHandler;
  /** Shards whose batch under way is the last one. */
  private readonly ending = new Set<string>();
  private handsOver = false;
  private stampedAt: number;

  constructor(
    readonly host: VirtualProcess,
    private readonly dependencies: Dependencies,
    private readonly config: SchedulerConfig,
  ) {
    const { clock, log, metrics, uuid } = dependencies;
    const failoverTime = config.failoverTimeMillis;
    const common = { clock, log, metrics, uuid, workerId: config.workerId, failoverTime, tableName: 'app' };
    this.wakeup = new Wakeup(clock);
    const onHandoff = (): void => {
      this.handsOver = true;
      this.wakeup.wake();
    };
    this.refresher = new ScanningRefresher({ ...dependencies, tableName: 'app', requestTimeout: failoverTime / 3 });
    this.holder = new LeaseRenewer({
      ...common,
      refresher: this.refresher,
      epsilon: config.epsilonMillis,
      livenessTimeout: config.consumerLivenessTimeoutMillis,
      maxConcurrency: config.maxLeaseRenewalConcurrency,
      requestTimeout: failoverTime / 3,
      onLost: () => undefined,
      onHandoff,
    });
    this.handoffs = new LeaseGracefulShutdownHandler({ ...common, holder: this.holder, timeout: 30_000 });
    this.stampedAt = clock.monotonic();
  }

  private readonly refresher: DynamoDbLeaseRefresher;

  get isLeader(): boolean {
    return this.source?.isLeader ?? false;
  }

  async run(): Promise<void> {
    const { config, refresher, holder, dependencies } = this;
    const { clock, dynamodb, log } = dependencies;
    const fleet = await joinFleet({ dynamodb, clock, config, refresher, log, requestTimeout: 3_000 });
    // A shard sync that finds nothing to do reads the table once.
    const syncShards = async (): Promise<void> => void (await refresher.listLeases());
    await syncShards();
    await holdOwnLeases(holder, refresher, config.workerId, () => clock.monotonic());
    holder.start();
    const source = (this.source = chooseLeaseSource({
      fleet,
      config,
      dependencies,
      refresher,
      holder,
      log,
      isBlocked: () => false,
      onLook: (rows) => holder.observe(rows),
      onHeld: () => undefined,
      onModeChange: (error) => {
        throw error;
      },
    }));
    source.start();
    const shardDetector = new ShardDetector({
      ...dependencies,
      streamName: 's',
      requestTimeout: 1,
      maxAttempts: 1,
      backoff: 1,
    });
    const audit = new PeriodicShardSyncManager({
      ...dependencies,
      refresher,
      shardDetector,
      workerId: config.workerId,
      syncShards,
      isLeader: () => source.isLeader,
    });
    void this.every(config.leasesRecoveryAuditorExecutionFrequencyMillis, () => audit.audit());
    void this.every(PROCESS_MILLIS, async () => this.process());
    for (;;) {
      if (this.handsOver) this.handOver();
      await this.wakeup.sleep(HANDOFF_LOOP_MILLIS);
    }
  }

  private async every(millis: number, run: () => Promise<void>): Promise<void> {
    for (;;) {
      await this.dependencies.clock.sleep(millis);
      await run();
    }
  }

  private handOver(): void {
    const held = this.holder.all();
    const consumers = new Map(
      held
        .filter(({ lease }) => this.handoffs.isLeaving(lease))
        .map(({ lease, concurrencyToken }) => {
          const shutdown = (): void => void this.end(lease.leaseKey, concurrencyToken);
          return [lease.leaseKey, { shutdown } as unknown as ShardConsumer];
        }),
    );
    this.handoffs.handle(held, consumers);
    this.handsOver = consumers.size > 0;
  }

  private async end(leaseKey: string, token: string): Promise<void> {
    if (this.ending.has(leaseKey)) return;
    this.ending.add(leaseKey);
    await this.dependencies.clock.sleep(BATCH_MILLIS);
    await this.holder.evict(leaseKey, token);
    this.ending.delete(leaseKey);
  }

  /** Every shard gives its records. */
  private process(): void {
    const now = this.dependencies.clock.monotonic();
    const bytes = (KBPS_PER_SHARD * 1_024 * (now - this.stampedAt)) / 1_000;
    this.stampedAt = now;
    for (const { lease, concurrencyToken } of this.holder.all()) {
      this.holder.stamp(lease.leaseKey, concurrencyToken, bytes);
    }
  }
}

export class OwnFleet implements SimulatedFleet {
  readonly meter = new Meter();
  private readonly time = new VirtualClock();
  private readonly random = seededRandom(1);
  private readonly table = new MeteredTable(this.meter);
  private readonly workers = new Map<string, SimulatedWorker>();
  private started = 0;
  private failure: unknown;

  constructor(
    private readonly clientVersionConfig: SchedulerConfig['clientVersionConfig'],
    private readonly size: FleetSize,
  ) {
    const width = (MAX_HASH_KEY + 1n) / BigInt(size.shards);
    for (let index = 0; index < size.shards; index++) {
      const from = width * BigInt(index);
      const to = index === size.shards - 1 ? MAX_HASH_KEY : from + width - 1n;
      this.table.addLease(shardIdOf(index), { startingHashKey: String(from), endingHashKey: String(to) });
    }
  }

  get moved(): number {
    return this.table.moved;
  }

  start(count: number): void {
    for (let i = 0; i < count; i++) {
      const workerId = `worker-${this.started++}`;
      const host = new VirtualProcess(workerId, this.time, this.random, this.table);
      const config = resolveConfig({
        applicationName: 'app',
        streamName: 's',
        workerId,
        initialPosition: { type: 'TRIM_HORIZON' },
        clientVersionConfig: this.clientVersionConfig,
      });
      const perShard = (CPU_AT_START * this.size.workers) / this.size.shards;
      const capture = async (): Promise<number> => perShard * worker.holder.all().length;
      const dependencies: Dependencies = {
        ...host.dependencies,
        kinesis: noKinesis,
        workerMetrics: [{ shortName: 'C', maxUtilization: 100, capture }],
      };
      const worker: SimulatedWorker = new SimulatedWorker(host, dependencies, config);
      this.workers.set(workerId, worker);
      worker.run().catch((error: unknown) => (this.failure ??= error));
    }
  }

  kill(count: number): void {
    const killed = [...this.workers.values()].filter((worker) => !worker.isLeader).slice(0, count);
    for (const { host } of killed) {
      host.kill();
      this.workers.delete(host.name);
    }
  }

  async run(millis: number): Promise<void> {
    await this.time.run(millis);
    if (this.failure) throw this.failure;
  }

  shares(): Shares {
    const leases = [...this.workers.keys()].map((workerId) => this.table.ownedBy.get(workerId)?.size ?? 0);
    return { unread: this.size.shards - leases.reduce((sum, count) => sum + count, 0), leases };
  }
}
