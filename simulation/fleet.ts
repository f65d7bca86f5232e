/** The service's tasks: each slot runs one consumer, whole and unmodified; a task that dies is replaced by another. */
import { Consumer, type ConsumerDependencies } from '../consumer/consumer';
import type { ConsumerConfig } from '../consumer/config';
import { noMetrics } from '../consumer/kcl/adapters/system';
import { dynamoFromSdk } from '../consumer/kcl/adapters/dynamodb-sdk';
import { InProcessFoldRunner } from '../consumer/lake/fold/runner';
import { DynamoDbRegistryStore } from '../consumer/lake/stores/dynamodb-registry-store';
import { S3ObjectStore } from '../consumer/lake/stores/s3-object-store';
import type { VirtualTime } from '../test/kcl/support/virtual-time';
import type { Mutant } from './mutants/mutant';
import { SimulatedProcess, type ProcessContext } from './process';
import { MAXIMUM_AHEAD_MS, type Elements } from './publisher';
import { Random } from './random';
import { rivalApplication, type Rival } from './rivals/rival';
import type { Bucket } from './services/bucket';
import { LEASES, REGISTRY, type Database } from './services/database';
import { RETENTION_MS, STREAM, type Stream } from './services/stream';
import { builds, HOUR, USE_CASE, type Build } from './use-case';

export const FAILOVER_MS = 6_000;
/** Readings in one fold task: small, so that partitions have several. */
const ROWS_PER_BUCKET = 60;
/** Read ahead of the processing: the least that the consumer takes. */
const READ_AHEAD_BYTES = 16 * 1024 * 1024;
/** A buffer is known to be full once a record has made it so: each shard may be over by its last. */
const LARGEST_RECORD_BYTES = 6_000;

export interface FleetOptions {
  readonly seed: number;
  readonly slots: number;
  readonly time: VirtualTime;
  readonly stream: Stream<Elements>;
  readonly database: Database;
  readonly bucket: Bucket;
  readonly faultOf: ProcessContext['faultOf'];
  readonly record: ProcessContext['record'];
  /** An error that the consumer logged. */
  readonly onTrouble: (worker: string, event: string, fields: object) => void;
  readonly mutant?: Mutant;
  /** In place of the consumer. */
  readonly rival?: Rival;
}

/** A rival has no health to ask for. */
type Application = Pick<Consumer, 'run' | 'stop'> & Partial<Pick<Consumer, 'health'>>;

interface Task {
  readonly process: SimulatedProcess;
  readonly consumer: Application;
  readonly bufferBytes: number;
}

export class Fleet {
  readonly tasks: (Task | undefined)[];
  started = 0;
  crashes = 0;
  /** No task is started before this time (monotonic milliseconds). */
  private outageUntil = 0;
  private healed = false;
  private readonly random: Random;

  constructor(private readonly options: FleetOptions) {
    this.random = new Random(options.seed, 'fleet');
    this.tasks = new Array<Task | undefined>(options.slots).fill(undefined);
  }

  start(slot: number): void {
    const { time, seed, faultOf, record } = this.options;
    const name = `task-${slot}-${this.started++}`;
    const random = new Random(seed, name);
    const process = new SimulatedProcess(name, slot, {
      time,
      random,
      record,
      faultOf: (worker, service, request) => (this.healed ? undefined : faultOf(worker, service, request)),
      onCrash: (crashed) => this.onCrash(slot, crashed),
    });
    const bufferBytes = 2_000 + random.below(20_000);
    const consumer = this.consumer(process, random, random.chance(0.6) ? 'build-1' : 'build-2', bufferBytes);
    const task = { process, consumer, bufferBytes };
    this.tasks[slot] = task;
    const ended = (): void => {
      // ECS starts another where one ended, for whatever reason.
      if (this.tasks[slot] === task && !process.crashed) this.startLater(slot, 1_000);
    };
    consumer.run().then(ended, ended);
  }

  crash(slot: number): void {
    this.tasks[slot]?.process.crash();
  }

  /** SIGTERM: the consumer ends by itself, and another is started in its place. */
  stop(slot: number): void {
    this.tasks[slot]?.consumer.stop();
  }

  process(slot: number): SimulatedProcess | undefined {
    return this.tasks[slot]?.process;
  }

  /** Tasks that hold more bytes than they may. */
  overBudget(): string[] {
    return this.tasks.flatMap((task) => {
      const detail = task?.consumer.health?.().detail as Record<string, number> | undefined;
      if (task === undefined || detail === undefined) return [];
      const { bytesInMemory = 0, bufferedBytes = 0, heldLeases = 0 } = detail;
      const limit = task.bufferBytes + (heldLeases + 1) * LARGEST_RECORD_BYTES;
      if (bufferedBytes <= limit && bytesInMemory <= READ_AHEAD_BYTES) return [];
      return [`${task.process.name} buffers ${bufferedBytes} of ${limit} bytes, and ${bytesInMemory} ahead`];
    });
  }

  outage(ms: number): void {
    this.outageUntil = this.options.time.monotonic() + ms;
    for (const task of this.tasks) task?.process.crash();
  }

  /** Milliseconds until tasks run again after an outage or a standstill; not above 0 where they do. */
  standsFor(): number {
    return this.outageUntil - this.options.time.monotonic();
  }

  standstill(ms: number): void {
    this.outageUntil = this.options.time.monotonic() + ms;
    for (const task of this.tasks) task?.process.pause(ms);
  }

  /** No more faults, and everybody runs. */
  heal(): void {
    this.healed = true;
    for (const task of this.tasks) task?.process.heal();
  }

  /** The service is scaled in: nothing of it runs any more. */
  end(): void {
    this.outageUntil = Infinity;
    for (const task of this.tasks) task?.process.crash();
  }

  private onCrash(slot: number, process: SimulatedProcess): void {
    this.crashes++;
    // One that had ended by itself, with a request still under way, has its successor already.
    if (this.tasks[slot]?.process === process) this.startLater(slot, 500 + this.random.below(15_000));
  }

  private startLater(slot: number, delay: number): void {
    const { time } = this.options;
    this.tasks[slot] = undefined;
    const wait = Math.max(delay, this.outageUntil - time.monotonic());
    if (wait === Infinity) return;
    time.after(wait, () => {
      // An outage that began since then is waited out too.
      if (time.monotonic() < this.outageUntil) this.startLater(slot, delay);
      else if (this.tasks[slot] === undefined) this.start(slot);
    });
  }

  private consumer(process: SimulatedProcess, random: Random, build: Build, bufferBytes: number): Application {
    const { stream, database, bucket, onTrouble, mutant, time, rival } = this.options;
    const config: ConsumerConfig = {
      streamName: STREAM,
      applicationName: LEASES,
      registryTable: REGISTRY,
      lakeBucket: 'lake',
      codeVersion: build,
      failoverTime: FAILOVER_MS,
      initialPosition: 'TRIM_HORIZON',
      flushInterval: 3_000,
      flushBytes: 1_000 + random.below(6_000),
      maximumEventAge: 10 * 365 * 24 * HOUR,
      maximumEventAhead: MAXIMUM_AHEAD_MS,
      metricsNamespace: 'simulation',
    };
    if (rival !== undefined) return rivalApplication(rival, this.options, process, random, config);
    const client = database.client(process);
    const log = (level: string, event: string, fields: object = {}): void => {
      if (level === 'error') onTrouble(process.name, event, fields);
    };
    let uuids = 0;
    const s3 = bucket.client(process);
    const objects = new S3ObjectStore(s3, config.lakeBucket, process.clock);
    const plain: Omit<ConsumerDependencies, 'runner'> = {
      kcl: {
        kinesis: stream.api(process),
        dynamodb: dynamoFromSdk(client),
        clock: process.clock,
        random: random.unit,
        uuid: () => `${process.name.replaceAll('-', '')}n${uuids++}`,
        log,
        metrics: noMetrics,
      },
      registry: new DynamoDbRegistryStore(client, REGISTRY, process.clock),
      objects,
      log,
      metrics: () => undefined,
      publishMetrics: () => undefined,
      retention: async () => RETENTION_MS,
    };
    const seam = { clock: process.clock, build, serviceTime: () => time.now(), s3 };
    const dependencies = mutant?.inject(plain, seam) ?? plain;
    const useCases = new Map([[USE_CASE, builds[build]]]);
    const runner = new InProcessFoldRunner(dependencies.objects, useCases);
    const settings = {
      config,
      workerId: process.name,
      useCases: [...useCases.values()],
      bufferBytes,
      rowsPerBucket: ROWS_PER_BUCKET,
    };
    return new Consumer(settings, { ...dependencies, runner });
  }
}
