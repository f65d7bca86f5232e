/** The consumer: the scheduler with this application's processor, and the folding beside it. */
import type { Dependencies } from './kcl';
import { Scheduler } from './kcl';
import type { UseCase } from '../use-cases/define-use-case';
import type { ConsumerConfig } from './config';
import type { Health } from './health';
import { markBeginning } from './lake/append/stream-gap';
import { FoldCoordinator } from './lake/fold/coordinator';
import { LeaderLock } from './lake/fold/leader-lock';
import type { FoldRunner } from './lake/fold/runner';
import { FoldTaskWorker } from './lake/fold/tasks';
import type { Log, Metrics } from './lake/clock';
import { MemoryBudget } from './lake/memory-budget';
import type { ObjectStore } from './lake/stores/object-store';
import type { RegistryStore } from './lake/stores/registry-store';
import { readingSchema } from './readings/schema';
import { TelemetryProcessor } from './telemetry-processor';

export interface ConsumerDependencies {
  /** Of the Kinesis client library; its clock, random and uuid serve the lake too. */
  readonly kcl: Dependencies;
  readonly registry: RegistryStore;
  readonly objects: ObjectStore;
  readonly runner: FoldRunner;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Puts the counted metrics out. */
  readonly publishMetrics: () => void;
  /** The stream's retention in milliseconds; undefined where it cannot be read. */
  readonly retention: () => Promise<number | undefined>;
}

export interface ConsumerSettings {
  readonly config: ConsumerConfig;
  readonly workerId: string;
  readonly useCases: readonly UseCase[];
  /** Bytes of readings buffered over all shards; the reads ahead of them take as much again. */
  readonly bufferBytes: number;
  /** Readings for one fold task. @default 2,000,000 */
  readonly rowsPerBucket?: number;
}

const METRICS_INTERVAL_MS = 60_000;
const RETENTION_INTERVAL_MS = 600_000;
const TASK_INTERVAL_MS = 5_000;
/** Fargate gives 120 s between SIGTERM and SIGKILL; ten are left for the exit. */
const DRAIN_MS = 100_000;
const MINIMUM_READ_AHEAD_BYTES = 16 * 1024 * 1024;

export class Consumer {
  private readonly scheduler: Scheduler;
  private readonly coordinator: FoldCoordinator;
  private readonly tasks: FoldTaskWorker;
  private readonly lock: LeaderLock;
  private readonly stopping = new AbortController();
  private readonly buffers: MemoryBudget;
  private retention: number | undefined;
  private failure: Error | undefined;

  constructor(
    settings: ConsumerSettings,
    private readonly dependencies: ConsumerDependencies,
  ) {
    const { config, workerId, useCases, bufferBytes, rowsPerBucket } = settings;
    const { kcl, registry, log, metrics } = dependencies;
    const { clock } = kcl;
    const shared = { ...dependencies, clock, workerId, codeVersion: config.codeVersion };
    this.interval = Math.min(30_000, Math.max(1_000, Math.round(config.flushInterval / 2)));
    this.lock = new LeaderLock(registry, clock, workerId, Math.max(15_000, 3 * this.interval));
    this.coordinator = new FoldCoordinator({
      ...shared,
      lock: this.lock,
      useCases,
      ...(rowsPerBucket === undefined ? {} : { rowsPerBucket }),
      ...(config.lateness === undefined ? {} : { lateness: config.lateness }),
    });
    this.tasks = new FoldTaskWorker(shared);
    this.buffers = new MemoryBudget(bufferBytes);
    const processorOptions = {
      ...shared,
      ...config,
      log,
      metrics,
      uuid: () => kcl.uuid().replaceAll('-', ''),
      budget: this.buffers,
      schemas: new Map(useCases.map((useCase) => [useCase.name, readingSchema(useCase)])),
      limits: { maximumAge: config.maximumEventAge, maximumAhead: config.maximumEventAhead },
      retention: () => this.retention,
    };
    const { initialPosition } = config;
    this.scheduler = new Scheduler({
      config: {
        applicationName: config.applicationName,
        streamName: config.streamName,
        workerId,
        failoverTimeMillis: config.failoverTime,
        consumerArn: config.consumerArn,
        clientVersionConfig: config.clientVersionConfig,
        initialPosition:
          initialPosition === 'TRIM_HORIZON'
            ? { type: 'TRIM_HORIZON' }
            : { type: 'AT_TIMESTAMP', timestamp: initialPosition },
        callProcessRecordsEvenForEmptyRecordList: true,
        // KCL's 10 s, but no rarer than commits: a worker under a leader sees no other way that the parents are done.
        parentShardPollIntervalMillis: Math.min(10_000, Math.max(1_000, config.flushInterval)),
        idleTimeBetweenReadsMillis: Math.min(1_500, Math.max(200, Math.round(config.flushInterval / 4))),
        gracefulShutdownTimeoutMillis: DRAIN_MS,
        memoryBudgetBytes: Math.max(MINIMUM_READ_AHEAD_BYTES, bufferBytes),
      },
      processorFactory: () => new TelemetryProcessor(processorOptions),
      dependencies: kcl,
    });
  }

  private readonly interval: number;
  private hasBegun = false;

  /** Works until {@link stop}; rejects where the stream or a table cannot be used. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    const loops = [
      this.loop('retention', RETENTION_INTERVAL_MS, async () => {
        this.retention = await this.dependencies.retention();
      }),
      this.loop('fold', this.interval, async () => {
        await this.begin();
        return this.coordinator.tick();
      }),
      this.loop('fold tasks', TASK_INTERVAL_MS, () => this.tasks.runOne()),
      this.loop('metrics', METRICS_INTERVAL_MS, async () => this.dependencies.publishMetrics()),
    ];
    try {
      await this.scheduler.run(signal);
    } catch (error) {
      this.failure = error as Error;
      throw error;
    } finally {
      this.stopping.abort();
      await Promise.all(loops);
      await this.lock.release().catch(() => undefined);
      await this.dependencies.runner.close();
      this.dependencies.publishMetrics();
    }
  }

  /** Flushes and checkpoints every shard, gives the leases up, and ends {@link run}. */
  stop(): void {
    this.stopping.abort();
  }

  health(): Health {
    const { state, heldLeases, bytesInMemory } = this.scheduler.status();
    return {
      healthy: this.failure === undefined && state !== 'SHUT_DOWN',
      detail: { state, heldLeases, bytesInMemory, bufferedBytes: this.buffers.used },
    };
  }

  private async begin(): Promise<void> {
    if (this.hasBegun) return;
    const { registry, kcl } = this.dependencies;
    await markBeginning(registry, kcl.clock.now());
    this.hasBegun = true;
  }

  /** Repeats `work`; at once where it says that there is more. A failure is logged and waits for the next time. */
  private async loop(name: string, interval: number, work: () => Promise<boolean | void>): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let more: boolean | void = false;
      try {
        more = await work();
      } catch (error) {
        const { name: kind, message } = error as Error;
        this.dependencies.log('warn', `${name}: failed and is tried again`, { error: `${kind}: ${message}` });
      }
      if (more !== true) await this.dependencies.kcl.clock.sleep(interval, signal);
    }
  }
}
