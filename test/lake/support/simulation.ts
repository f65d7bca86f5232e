/**
 * A seeded schedule in virtual time: several workers, any of which may run any shard or the fold at any moment (no
 * lease keeps them apart), over stores that crash, pause, lose requests and lose answers. The lake's code runs as it is.
 */
import { MemoryBudget } from '../../../consumer/lake/memory-budget';
import { FoldCoordinator } from '../../../consumer/lake/fold/coordinator';
import { FoldTaskWorker } from '../../../consumer/lake/fold/tasks';
import type { LeaderLock } from '../../../consumer/lake/fold/leader-lock';
import { InProcessFoldRunner } from '../../../consumer/lake/fold/runner';
import type { Clock, Log } from '../../../consumer/lake/clock';
import { MemoryObjects, MemoryRegistry, RequestLost, type FaultHook } from './memory-stores';
import { TelemetryProcessor } from '../../../consumer/telemetry-processor';
import type { Checkpointer, KinesisClientRecord, ShardInfo, StartingPosition } from '../../../consumer/kcl/processor';
import { compareExtended } from '../../../consumer/kcl/common/extended-sequence-number';
import { BASE, enveloped, HOUR, limits, schemas, testUseCase } from './telemetry';

/** mulberry32, public domain. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Time that moves only when everything waits. */
export class VirtualClock implements Clock {
  private time = BASE;
  private order = 0;
  private readonly timers: { at: number; order: number; wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      this.timers.push({ at: this.time + Math.max(0, ms), order: this.order++, wake });
    });
  }

  /** Runs what is due until `end`; `each` is called between events. */
  async runUntil(end: number, each: () => void = () => undefined): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      each();
      this.timers.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.timers[0];
      if (next === undefined || next.at > end) break;
      this.timers.shift();
      this.time = Math.max(this.time, next.at);
      next.wake();
    }
    this.time = end;
  }
}

interface SimulatedShard extends ShardInfo {
  readonly records: KinesisClientRecord[];
  closed: boolean;
  /** Some worker's shardEnded returned: children may start. */
  ended: boolean;
}

export interface PublishedReading {
  readonly device: string;
  readonly time: number;
  readonly temperature: number;
  readonly messageId: string | undefined;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly workers: number;
  /** Chance per request of each: lost before, lost answer, pause, crash of the worker. */
  readonly faultRate: number;
  readonly publishes: number;
  /** Small numbers make shared fold tasks of every partition. */
  readonly rowsPerBucket?: number;
}

const KEY_SPACE = 2n ** 128n;
const STOP_FAULTS_AT = BASE + 4 * HOUR;
const END = BASE + 9 * HOUR;
const never = new Promise<never>(() => undefined);

interface Worker {
  readonly id: number;
  readonly codeVersion: string;
  crashed: boolean;
  pausedUntil: number;
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly registry = new MemoryRegistry();
  readonly objects = new MemoryObjects();
  readonly shards: SimulatedShard[] = [];
  readonly published: PublishedReading[] = [];
  /** Elements put on each shard, good or bad, duplicates included. */
  readonly elementsIn = new Map<string, number>();
  readonly trouble: string[] = [];
  crashes = 0;
  faults = 0;

  private readonly random: () => number;
  private sequence = 0;
  private nextWorker = 0;
  private nextId = 0;

  constructor(private readonly options: SimulationOptions) {
    this.random = seededRandom(options.seed);
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private addShard(start: bigint, end: bigint, parents: readonly SimulatedShard[]): void {
    this.shards.push({
      shardId: `shardId-${String(this.shards.length).padStart(12, '0')}`,
      parentShardIds: parents.map(({ shardId }) => shardId),
      startingHashKey: String(start),
      endingHashKey: String(end),
      records: [],
      closed: false,
      ended: false,
    });
  }

  private open(): SimulatedShard[] {
    return this.shards.filter(({ closed }) => !closed);
  }

  private reshard(): void {
    const open = this.open().sort((a, b) => (BigInt(a.startingHashKey) < BigInt(b.startingHashKey) ? -1 : 1));
    const at = this.below(open.length);
    const shard = open[at]!;
    const [start, end] = [BigInt(shard.startingHashKey), BigInt(shard.endingHashKey)];
    shard.closed = true;
    const neighbour = open[at + 1];
    if (neighbour !== undefined && this.random() < 0.5) {
      neighbour.closed = true;
      this.addShard(start, BigInt(neighbour.endingHashKey), [shard, neighbour]);
    } else {
      const middle = (start + end) / 2n;
      this.addShard(start, middle, [shard]);
      this.addShard(middle + 1n, end, [shard]);
    }
  }

  private put(payload: unknown, device: string, elements: number, sub = 0): void {
    const open = this.open();
    const shard = open[this.below(open.length)]!;
    if (sub === 0) this.sequence++;
    shard.records.push(
      enveloped(payload as object, { sequence: this.sequence, sub, device, arrival: this.clock.now() }),
    );
    this.elementsIn.set(shard.shardId, (this.elementsIn.get(shard.shardId) ?? 0) + elements);
  }

  private publishOne(): void {
    const device = `device-${this.below(4)}`;
    const elements: object[] = [];
    const count = this.random() < 0.3 ? 1 + this.below(5) : 1;
    for (let at = 0; at < count; at++) {
      const late = this.random() < 0.15 ? this.below(2 * HOUR) : this.below(30_000);
      const reading: PublishedReading = {
        device,
        time: Math.max(BASE - HOUR, this.clock.now() - late),
        temperature: this.below(100),
        messageId: this.random() < 0.5 ? `m-${this.published.length}` : undefined,
      };
      this.published.push(reading);
      elements.push({ timestamp: reading.time, temperature: reading.temperature, messageId: reading.messageId });
    }
    if (this.random() < 0.1) elements.push({ timestamp: this.clock.now() });
    const payload = elements.length === 1 ? elements[0] : elements;
    this.put(payload, device, elements.length);
    while (this.random() < 0.15) this.put(payload, device, elements.length);
    if (this.random() < 0.05) this.put('{', device, 1);
  }

  private faultHook(worker: Worker): FaultHook {
    return async (_operation, moment) => {
      if (worker.crashed) return never;
      await this.clock.sleep(1 + this.below(20));
      if (this.clock.now() < STOP_FAULTS_AT) {
        const dice = this.random() / this.options.faultRate;
        if (dice < 4) this.faults++;
        if (dice < 1 && moment === 'before') throw new RequestLost('request lost');
        if (dice < 1) throw new RequestLost('answer lost');
        if (dice < 2) worker.pausedUntil = this.clock.now() + this.below(180_000);
        else if (dice < 2.5) {
          worker.crashed = true;
          this.crashes++;
        }
        // The message itself is late: the worker goes on, or dies, and it lands all the same.
        else if (dice < 4) await this.clock.sleep(this.below(60_000));
      }
      while (worker.pausedUntil > this.clock.now()) await this.clock.sleep(worker.pausedUntil - this.clock.now());
      if (worker.crashed) return never;
    };
  }

  private startWorker(): void {
    const worker: Worker = {
      id: this.nextWorker++,
      codeVersion: this.random() < 0.5 ? 'build-1' : 'build-2',
      crashed: false,
      pausedUntil: 0,
    };
    const fault = this.faultHook(worker);
    // The same data behind a connection of the worker's own.
    const registry = new MemoryRegistry(this.registry.table, fault);
    const objects = new MemoryObjects(this.objects.objects, fault);
    const log: Log = (level, event, fields) => {
      if (level === 'error') this.trouble.push(`${event} ${JSON.stringify(fields)}`);
    };
    const shared = {
      registry,
      objects,
      clock: this.clock,
      log,
      metrics: () => undefined,
      codeVersion: worker.codeVersion,
      workerId: String(worker.id),
    };
    const runner = new InProcessFoldRunner(objects, new Map([[testUseCase.name, testUseCase]]));
    const coordinator = new FoldCoordinator({
      ...shared,
      runner,
      // Several leaders at once: the lock only saves work.
      lock: { hold: async () => true } as unknown as LeaderLock,
      useCases: [testUseCase],
      rowsPerBucket: this.options.rowsPerBucket ?? 1e6,
    });
    const tasks = new FoldTaskWorker({ ...shared, runner });
    void this.keepFolding(worker, () => tasks.runOne()).catch(() => undefined);
    void this.workShards(worker, shared).catch(() => undefined);
    void this.keepFolding(worker, () => coordinator.tick()).catch(() => undefined);
  }

  private async keepFolding(worker: Worker, look: () => Promise<boolean>): Promise<void> {
    while (!worker.crashed) {
      await this.clock.sleep(30_000 + this.below(60_000));
      while (await look().catch(() => false)) await this.clock.sleep(100);
    }
  }

  private async workShards(worker: Worker, shared: object): Promise<void> {
    while (!worker.crashed) {
      await this.clock.sleep(this.below(5_000));
      const ready = this.shards.filter(
        ({ ended, parentShardIds }) =>
          !ended &&
          parentShardIds.every((parent) => this.shards.some(({ shardId, ended: done }) => shardId === parent && done)),
      );
      const shard = ready[this.below(ready.length)];
      if (shard !== undefined) await this.workShard(shard, shared).catch(() => undefined);
    }
  }

  /** Reads one shard for a while, as the library would, then leaves it: gracefully or not. */
  private async workShard(shard: SimulatedShard, shared: object): Promise<void> {
    const processor = new TelemetryProcessor({
      ...(shared as ConstructorParameters<typeof TelemetryProcessor>[0]),
      uuid: () => `id${this.nextId++}`,
      budget: new MemoryBudget(1e9),
      flushBytes: 2_000 + this.below(20_000),
      flushInterval: 60_000,
      schemas,
      limits,
      initialPosition: 'TRIM_HORIZON',
      retention: () => undefined,
    });
    const checkpointer: Checkpointer = {
      checkpoint: async () => undefined,
      prepareCheckpoint: async () => ({ commit: async () => undefined }),
    };
    const start = await processor.initialize({
      shard,
      checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
      fence: { leaseCounter: 1, remaining: () => 1 },
    });
    let next = shard.records.findIndex((record) => isAfter(record, start));
    if (next < 0) next = shard.records.length;
    for (let round = 3 + this.below(40); round > 0; round--) {
      const serviceTime = Math.floor(this.clock.now() / 1000) * 1000;
      const records = shard.records.slice(next, next + 1 + this.below(30));
      const atTip = next + records.length === shard.records.length;
      const input = { records, millisBehindLatest: atTip ? 0 : 1, serviceTime, atTip, checkpointer };
      for (;;) {
        // A batch that throws is delivered again.
        try {
          await processor.processRecords(input);
          break;
        } catch {
          if (this.random() < 0.2) return;
        }
      }
      next += records.length;
      if (shard.closed && next === shard.records.length) {
        await processor.shardEnded({ checkpointer });
        shard.ended = true;
        return;
      }
      await this.clock.sleep(this.below(15_000));
    }
    if (this.random() < 0.5) await processor.shutdownRequested({ checkpointer });
  }

  async run(): Promise<void> {
    this.addShard(0n, KEY_SPACE / 2n - 1n, []);
    this.addShard(KEY_SPACE / 2n, KEY_SPACE - 1n, []);
    for (let count = 0; count < this.options.workers; count++) this.startWorker();
    let published = 0;
    let reshards = 0;
    const publisher = async (): Promise<void> => {
      while (published++ < this.options.publishes) {
        this.publishOne();
        if (this.random() < 0.01 && reshards < 4) {
          reshards++;
          this.reshard();
        }
        await this.clock.sleep(this.below((6 * HOUR) / this.options.publishes));
      }
    };
    void publisher();
    const replacer = async (): Promise<void> => {
      let started = this.options.workers;
      for (;;) {
        await this.clock.sleep(10_000);
        while (started - this.crashes < this.options.workers) {
          this.startWorker();
          started++;
        }
      }
    };
    void replacer();
    await this.clock.runUntil(END);
  }
}

function isAfter(record: KinesisClientRecord, start: StartingPosition): boolean {
  return start.type !== 'AFTER' || compareExtended(record, start.position) > 0;
}
