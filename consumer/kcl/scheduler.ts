/** The worker: takes leases and runs a consumer for each of them. */
import type { Dependencies } from './dependencies';
import { describeError, InvalidStateError } from './common/errors';
import { Wakeup } from './common/timing';
import { resolveConfig, type SchedulerConfig, type SchedulerConfigInput } from './config';
import { DynamoDbLeaseRefresher } from './leases/dynamodb/dynamodb-lease-refresher';
import { verifyLeaseTable } from './leases/dynamodb/lease-table';
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
import { ShardConsumers } from './lifecycle/shard-consumers';
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
  private readonly requestTimeout: number;
  private source: LeaseSource | undefined;
  /** Why the worker stopped by itself. */
  private failure: Error | undefined;
  private readonly budget: MemoryBudget;
  private readonly wakeup: Wakeup;
  private readonly consumers: ShardConsumers;
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
    const { holder } = this;
    this.consumers = new ShardConsumers({
      holder,
      handoffs: new LeaseGracefulShutdownHandler({
        ...common,
        holder,
        timeout: config.gracefulLeaseHandoffTimeoutMillis,
      }),
      clock,
      log,
      make: (held) => this.makeConsumer(held),
      onDone: () => {
        // A finished shard has children to take, and others may wait for it.
        this.source?.lookNow();
        this.wakeup.wake();
      },
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
      shards: this.consumers.all().map(({ shardId, state, shutdownReason }) => ({
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
    try {
      const fleet = await this.initialize(signal);
      if (fleet && !signal.aborted) await this.consume(fleet, signal);
    } finally {
      await this.holder.stop();
    }
    if (this.failure) throw this.failure;
  }

  private async consume(fleet: JoinedFleet, signal: AbortSignal): Promise<void> {
    this.state = 'STARTED';
    const { consumers, config, refresher, holder, log } = this;
    const { dependencies } = this.options;
    const source = (this.source = chooseLeaseSource({
      fleet,
      config,
      dependencies,
      refresher,
      holder,
      log,
      isBlocked: (leaseKey) => consumers.isBlocked(leaseKey),
      onLook: (rows) => {
        holder.observe(rows);
        consumers.checkParents(rows);
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
      consumers.reconcile();
      await this.wakeup.sleep(LOOP_MILLIS);
    }
    this.state = 'SHUTTING_DOWN';
    await source.stop();
    await consumers.shutdown(config.gracefulShutdownTimeoutMillis);
    await chores;
  }

  /** @returns the fleet joined; undefined when told to stop first */
  private async initialize(signal: AbortSignal): Promise<JoinedFleet | undefined> {
    const { dynamodb, kinesis, clock } = this.options.dependencies;
    await this.holder.start();
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

  private makeConsumer(held: HeldLease): ShardConsumer {
    const shardId = held.lease.leaseKey;
    const { config, log, shardDetector, budget, holder, refresher } = this;
    const { dependencies, processorFactory, failurePolicy } = this.options;
    const { clock, random, metrics } = dependencies;
    const stamp = (): void => holder.stamp(shardId, held.concurrencyToken);
    return new ShardConsumer({
      held,
      holder,
      refresher,
      processor: processorFactory(shardId),
      publisher: recordsPublisher({ config, dependencies, shardDetector, budget, log }, shardId, stamp),
      clock,
      random,
      log,
      metrics,
      failurePolicy,
      initialPosition: config.initialPosition,
      callProcessRecordsEvenForEmptyRecordList: config.callProcessRecordsEvenForEmptyRecordList,
      parentShardPollInterval: config.parentShardPollIntervalMillis,
      taskBackoff: config.taskBackoffTimeMillis,
      onMissingParent: () =>
        void this.syncShards().catch((error: unknown) =>
          log('warn', 'a shard sync failed', { error: describeError(error) }),
        ),
    });
  }
}
