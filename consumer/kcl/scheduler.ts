/** The worker: takes leases and runs a consumer for each of them. */
import type { Dependencies } from './dependencies';
import { describeError, InvalidStateError } from './common/errors';
import { Wakeup } from './common/timing';
import { resolveConfig, type SchedulerConfig, type SchedulerConfigInput } from './config';
import { DynamoDbLeaseRefresher } from './leases/dynamodb/dynamodb-lease-refresher';
import { verifyLeaseTable } from './leases/dynamodb/lease-table';
import { isFinished, type Lease } from './leases/lease';
import { runChores } from './coordinator/chores';
import { joinFleet, type JoinedFleet } from './coordinator/join-fleet';
import { chooseLeaseSource } from './coordinator/choose-lease-source';
import { holdOwnLeases, type HeldLease, type LeaseHolder } from './leases/lease-holder';
import type { LeaseRefresher } from './leases/lease-refresher';
import { LeaseRenewer } from './leases/lease-renewer';
import type { LeaseSource } from './leases/lease-source';
import type { ConsumerState, ShutdownReason } from './lifecycle/consumer-states';
import { LeaseGracefulShutdownHandler } from './lifecycle/lease-graceful-shutdown-handler';
import { ShardConsumer } from './lifecycle/shard-consumer';
import type { FailurePolicy, ShardRecordProcessorFactory } from './processor';
import { MemoryBudget } from './retrieval/memory-budget';
import { verifyConsumer } from './retrieval/fanout/fan-out-retrieval';
import { recordsPublisher } from './retrieval/retrieval';
import { ShardDetector } from './shards/shard-detector';
import { syncShards } from './shards/shard-sync';

export interface SchedulerOptions {
  readonly config: SchedulerConfigInput;
  readonly processorFactory: ShardRecordProcessorFactory;
  readonly dependencies: Dependencies;
  /** @default a batch is delivered until it succeeds */
  readonly failurePolicy?: FailurePolicy;
}

/** For health checks and displays. */
export interface SchedulerStatus {
  readonly state: 'CREATED' | 'INITIALIZING' | 'STARTED' | 'SHUTTING_DOWN' | 'SHUT_DOWN';
  readonly heldLeases: number;
  /** In a fleet with a leader: whether this worker is it. */
  readonly isLeader: boolean;
  readonly shards: readonly {
    readonly shardId: string;
    readonly state: ConsumerState;
    readonly shutdownReason?: ShutdownReason;
  }[];
  readonly bytesInMemory: number;
}

const LOOP_MILLIS = 1_000;

export class Scheduler {
  readonly config: SchedulerConfig;
  private readonly refresher: LeaseRefresher;
  private readonly shardDetector: ShardDetector;
  private readonly holder: LeaseHolder;
  private readonly handoffs: LeaseGracefulShutdownHandler;
  private readonly requestTimeout: number;
  private source: LeaseSource | undefined;
  /** Why the worker stopped by itself. */
  private failure: Error | undefined;
  private readonly budget: MemoryBudget;
  private readonly wakeup: Wakeup;
  private readonly consumers = new Map<string, ShardConsumer>();
  private readonly shutdownRequested = new AbortController();
  private state: SchedulerStatus['state'] = 'CREATED';
  private running: Promise<void> | undefined;

  /** @throws ConfigurationError naming every member of `config` that cannot be used */
  constructor(private readonly options: SchedulerOptions) {
    this.config = resolveConfig(options.config);
    const { config } = this;
    const { clock, random, uuid, dynamodb, kinesis, metrics } = options.dependencies;
    const log: Dependencies['log'] = (level, event, fields) =>
      options.dependencies.log(level, event, { workerId: config.workerId, ...fields });
    const common = { clock, random, log, metrics, workerId: config.workerId, failoverTime: config.failoverTimeMillis };
    // A request that hangs must not use up the lease: three of them fit into a failover time.
    const requestTimeout = Math.min(config.dynamoDbRequestTimeoutMillis, Math.floor(config.failoverTimeMillis / 3));
    this.wakeup = new Wakeup(clock);
    this.budget = new MemoryBudget(config.memoryBudgetBytes);
    this.refresher = new DynamoDbLeaseRefresher({
      ...common,
      dynamodb,
      tableName: config.leaseTableName,
      requestTimeout,
    });
    this.shardDetector = new ShardDetector({
      ...common,
      kinesis,
      streamName: config.streamName,
      requestTimeout: config.kinesisRequestTimeoutMillis,
      maxAttempts: config.maxListShardsRetryAttempts,
      backoff: config.listShardsBackoffTimeMillis,
    });
    const wake = (): void => this.wakeup.wake();
    const holding = { log, metrics, uuid, onLost: wake, onHandoff: wake };
    const settings = {
      workerId: config.workerId,
      failoverTime: config.failoverTimeMillis,
      epsilon: config.epsilonMillis,
      livenessTimeout: config.consumerLivenessTimeoutMillis,
      maxConcurrency: config.maxLeaseRenewalConcurrency,
      tableName: config.leaseTableName,
      requestTimeout,
    };
    this.holder =
      options.dependencies.leaseHolder?.(settings, holding) ??
      new LeaseRenewer({ ...settings, ...holding, clock, refresher: this.refresher });
    this.handoffs = new LeaseGracefulShutdownHandler({
      ...common,
      holder: this.holder,
      timeout: config.gracefulLeaseHandoffTimeoutMillis,
    });
    this.requestTimeout = requestTimeout;
    this.log = log;
  }

  private readonly log: Dependencies['log'];

  /**
   * Works until {@link shutdown} is called or `signal` aborts.
   * @throws InvalidStateError when the lease table or the stream cannot be used
   * @throws the service's error when it could not be reached in `maxInitializationAttempts` attempts
   */
  run(signal?: AbortSignal): Promise<void> {
    if (this.running) throw new InvalidStateError('A scheduler runs once; make another one.');
    if (signal?.aborted) this.shutdownRequested.abort();
    signal?.addEventListener('abort', () => void this.shutdown(), { once: true });
    this.running = this.work().finally(() => (this.state = 'SHUT_DOWN'));
    return this.running;
  }

  /**
   * Lets every processor finish its batch and calls its `shutdownRequested`, then gives all leases up in the table, so that
   * peers take them at once. Resolves when that is done or `gracefulShutdownTimeoutMillis` passed.
   */
  async shutdown(): Promise<void> {
    this.shutdownRequested.abort();
    this.wakeup.wake();
    await this.running?.catch(() => undefined);
  }

  status(): SchedulerStatus {
    return {
      state: this.state,
      heldLeases: this.holder.all().length,
      isLeader: this.source?.isLeader ?? false,
      shards: [...this.consumers.values()].map(({ shardId, state, shutdownReason }) => ({
        shardId,
        state,
        ...(shutdownReason ? { shutdownReason } : {}),
      })),
      bytesInMemory: this.budget.bytesInUse,
    };
  }

  private async work(): Promise<void> {
    const { signal } = this.shutdownRequested;
    this.state = 'INITIALIZING';
    const fleet = await this.initialize(signal);
    if (!fleet || signal.aborted) return;
    this.state = 'STARTED';
    this.holder.start();
    const source = (this.source = chooseLeaseSource({
      ...this,
      fleet,
      dependencies: this.options.dependencies,
      isBlocked: (leaseKey) => this.isBlocked(leaseKey),
      onLook: (rows) => {
        this.holder.observe(rows);
        this.checkParents(rows);
      },
      onHeld: () => this.wakeup.wake(),
      onModeChange: (error) => {
        this.failure = error;
        this.shutdownRequested.abort();
        this.wakeup.wake();
      },
    }));
    source.start();
    const chores = this.startChores(source, signal);
    while (!signal.aborted) {
      this.reconcile();
      await this.wakeup.sleep(LOOP_MILLIS);
    }
    this.state = 'SHUTTING_DOWN';
    await this.stop(source);
    await chores;
    if (this.failure) throw this.failure;
  }

  /** @returns the fleet joined; undefined when told to stop first */
  private async initialize(signal: AbortSignal): Promise<JoinedFleet | undefined> {
    const { dynamodb, kinesis, clock } = this.options.dependencies;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await verifyLeaseTable(dynamodb, this.config);
        await verifyConsumer(kinesis, clock, this.config);
        const { config, refresher, log, requestTimeout } = this;
        const fleet = await joinFleet({ dynamodb, clock, config, refresher, log, requestTimeout });
        await this.syncShards();
        await holdOwnLeases(this.holder, this.refresher, this.config.workerId, () => clock.monotonic());
        return fleet;
      } catch (error) {
        if (error instanceof InvalidStateError || attempt >= this.config.maxInitializationAttempts) throw error;
        this.log('warn', 'the start failed and is tried again', { attempt, error: describeError(error) });
        await clock.sleep(this.config.initializationBackoffMillis, signal);
      }
    }
    return undefined;
  }

  private startChores(source: LeaseSource, signal: AbortSignal): Promise<void> {
    const { refresher, shardDetector, holder, log, config } = this;
    const { clock, metrics } = this.options.dependencies;
    const syncShards = (): Promise<void> => this.syncShards();
    const isLeader = (): boolean | undefined => source.isLeader;
    return runChores({ config, refresher, shardDetector, holder, log, clock, metrics, syncShards, isLeader }, signal);
  }

  private async syncShards(): Promise<void> {
    const { clock } = this.options.dependencies;
    await syncShards({
      ...this.config,
      refresher: this.refresher,
      shardDetector: this.shardDetector,
      clock,
      log: this.log,
    });
  }

  /** Makes consumers and held leases agree. */
  private reconcile(): void {
    for (const consumer of this.consumers.values()) {
      if (this.holder.held(consumer.shardId)?.concurrencyToken !== consumer.concurrencyToken) {
        consumer.shutdown('LEASE_LOST');
      }
    }
    const all = this.holder.all();
    this.handoffs.handle(all, this.consumers);
    for (const held of all) {
      if (isFinished(held.lease) || this.handoffs.isLeaving(held.lease)) continue;
      if (!this.consumers.has(held.lease.leaseKey)) this.startConsumer(held);
    }
  }

  private startConsumer(held: HeldLease): void {
    const shardId = held.lease.leaseKey;
    const { clock, random, metrics } = this.options.dependencies;
    const { config, log, shardDetector, budget } = this;
    const { dependencies } = this.options;
    const stamp = (): void => this.holder.stamp(shardId, held.concurrencyToken);
    try {
      const consumer = new ShardConsumer({
        held,
        holder: this.holder,
        refresher: this.refresher,
        processor: this.options.processorFactory(shardId),
        publisher: recordsPublisher({ config, dependencies, shardDetector, budget, log }, shardId, stamp),
        clock,
        random,
        log,
        metrics,
        failurePolicy: this.options.failurePolicy,
        initialPosition: config.initialPosition,
        callProcessRecordsEvenForEmptyRecordList: config.callProcessRecordsEvenForEmptyRecordList,
        parentShardPollInterval: config.parentShardPollIntervalMillis,
        taskBackoff: config.taskBackoffTimeMillis,
        onMissingParent: () => void this.syncShards().catch((error: unknown) => this.logFailedSync(error)),
      });
      this.consumers.set(shardId, consumer);
      void consumer.done.then(() => this.onConsumerDone(consumer));
    } catch (error) {
      log('error', 'the processor of a shard could not be made and is tried again', {
        shardId,
        error: describeError(error),
      });
    }
  }

  private onConsumerDone(consumer: ShardConsumer): void {
    this.consumers.delete(consumer.shardId);
    // A finished shard has children to take, and others may wait for it.
    this.source?.lookNow();
    this.wakeup.wake();
  }

  private logFailedSync(error: unknown): void {
    this.log('warn', 'a shard sync failed', { error: describeError(error) });
  }

  /** A consumer that lost its lease but still runs keeps the worker from taking the same shard again. */
  private isBlocked(leaseKey: string): boolean {
    const consumer = this.consumers.get(leaseKey);
    return consumer !== undefined && this.holder.held(leaseKey)?.concurrencyToken !== consumer.concurrencyToken;
  }

  /** Wakes the children whose parents the last look showed as finished. */
  private checkParents(rows: readonly Lease[]): void {
    const unfinished = new Set(rows.filter((lease) => !isFinished(lease)).map((lease) => lease.leaseKey));
    for (const consumer of this.consumers.values()) {
      if (consumer.state !== 'WAITING_ON_PARENT_SHARDS') continue;
      if (!consumer.parentShardIds.some((parent) => unfinished.has(parent))) consumer.checkParents();
    }
  }

  private async stop(source: LeaseSource): Promise<void> {
    const { clock } = this.options.dependencies;
    await source.stop();
    for (const consumer of this.consumers.values()) consumer.shutdown('REQUESTED');
    const timeout = new AbortController();
    const allDone = Promise.all([...this.consumers.values()].map((consumer) => consumer.done));
    await Promise.race([allDone, clock.sleep(this.config.gracefulShutdownTimeoutMillis, timeout.signal)]);
    timeout.abort();
    for (const consumer of this.consumers.values()) {
      this.log('error', 'a processor did not stop in time; its lease is left to expire', { shardId: consumer.shardId });
    }
    await Promise.all(
      this.holder
        .all()
        .filter((held) => !this.consumers.has(held.lease.leaseKey))
        .map((held) => this.holder.evict(held.lease.leaseKey, held.concurrencyToken)),
    );
    await this.holder.stop();
  }
}
