import type { KinesisClientRecord } from '../../consumer/kcl/processor';
import { MemoryBudget } from '../../consumer/lake/memory-budget';
import { startAfter, TelemetryProcessor } from '../../consumer/telemetry-processor';
import type { Head } from '../../consumer/lake/append/head';
import { headKey, ledgerPk, type LedgerItem } from '../../lib/contracts/registry';
import { MemoryObjects, MemoryRegistry, MemoryTable, type FaultHook, type StoredObject } from './support/memory-stores';
import { VirtualClock } from './support/simulation';
import { BASE, enveloped, HOUR, limits, schemas } from './support/telemetry';

const shard = { shardId: 'shardId-000000000000', parentShardIds: [], startingHashKey: '0', endingHashKey: '10' };
const fence = { leaseCounter: 1, remaining: () => 1 };

class Bench {
  readonly table = new MemoryTable();
  readonly objects = new Map<string, StoredObject>();
  readonly clock = new VirtualClock();
  readonly checkpoints: string[] = [];
  readonly alarms: string[] = [];
  retention: number | undefined;
  private ids = 0;

  async worker(options: { codeVersion?: string; fault?: FaultHook; flushBytes?: number; budget?: number } = {}) {
    const processor = new TelemetryProcessor({
      registry: new MemoryRegistry(this.table, options.fault),
      objects: new MemoryObjects(this.objects, options.fault),
      clock: this.clock,
      uuid: () => `id${this.ids++}`,
      log: () => undefined,
      metrics: (name) => this.alarms.push(name),
      budget: new MemoryBudget(options.budget ?? 1e9),
      codeVersion: options.codeVersion ?? 'build-1',
      flushBytes: options.flushBytes ?? 1,
      flushInterval: 1000,
      schemas,
      limits,
      initialPosition: 'TRIM_HORIZON',
      retention: () => this.retention,
    });
    const checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 };
    const start = await processor.initialize({ shard, checkpoint, fence });
    return {
      processor,
      start,
      give: (records: KinesisClientRecord[], serviceTime = BASE) =>
        processor.processRecords(this.input(records, serviceTime)),
    };
  }

  private input(records: KinesisClientRecord[], serviceTime: number) {
    const checkpointer = {
      checkpoint: async (position?: { sequenceNumber: string; subSequenceNumber: number }) => {
        this.checkpoints.push(`${position?.sequenceNumber}.${position?.subSequenceNumber}`);
      },
      prepareCheckpoint: async () => ({ commit: async () => undefined }),
    };
    return { records, millisBehindLatest: 0, serviceTime, atTip: true, checkpointer };
  }

  get head(): Head {
    return this.table.get(headKey(shard.shardId)) as unknown as Head;
  }

  get ledger(): LedgerItem[] {
    return this.table.query(ledgerPk(shard.shardId), '') as unknown as LedgerItem[];
  }
}

const reading = (sequence: number, hour = 0): KinesisClientRecord =>
  enveloped({ timestamp: BASE - hour * HOUR, temperature: sequence }, { sequence });
const [r1, r2, r3, r4] = [1, 2, 3, 4].map((sequence) => reading(sequence)) as [
  KinesisClientRecord,
  KinesisClientRecord,
  KinesisClientRecord,
  KinesisClientRecord,
];

/** Dies (answers never come) once the operation was called `after` times. */
const dyingAt =
  (operation: string, moment: 'before' | 'after'): FaultHook =>
  (called, at) => {
    if (called === operation && at === moment) throw new Error('died');
  };

test('an intent of the same build is finished exactly as it was cut', async () => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('objects.create', 'before'), flushBytes: 300 });
  await expect(dead.give([r1, r2])).rejects.toThrow('died');
  const { pending } = bench.head;
  expect(pending).toMatchObject({ id: 'id0', start: 'TRIM_HORIZON' });
  const heir = await bench.worker({ flushBytes: 1e6 });
  expect(heir.start).toEqual({ type: 'TRIM_HORIZON' });
  await heir.give([r1, r2, r3]);
  expect(bench.head).toMatchObject({ end: pending!.end });
  expect(bench.ledger.map(({ end }) => end)).toEqual([pending!.end]);
  expect([...bench.objects.keys()]).toEqual([pending!.segments[0]!.key]);
});

test('an intent whose objects all exist is committed without reading', async () => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('registry.transact', 'before') });
  await expect(dead.give([r1])).rejects.toThrow('died');
  const heir = await bench.worker({ codeVersion: 'build-2' });
  expect(bench.head.pending).toBeUndefined();
  expect(heir.start).toMatchObject({ type: 'AFTER', position: { sequenceNumber: r1.sequenceNumber } });
});

test('an intent of another build is replaced whole, by a new id', async () => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('objects.create', 'before') });
  await expect(dead.give([r1])).rejects.toThrow('died');
  const heir = await bench.worker({ codeVersion: 'build-2' });
  await heir.give([r1]);
  expect([...bench.objects.keys()]).toEqual([expect.stringContaining('-id1.parquet')]);
  // The dead one wakes up: its intent is gone, its work is done, nothing is committed twice.
  await dead.give([r1]).catch(() => undefined);
  expect(bench.ledger).toHaveLength(1);
});

test('a lost answer to the commit is no second commit', async () => {
  const bench = new Bench();
  let lose = true;
  const worker = await bench.worker({
    fault: (operation, moment) => {
      if (lose && operation === 'registry.transact' && moment === 'after') {
        lose = false;
        throw new Error('answer lost');
      }
    },
  });
  await expect(worker.give([r1])).rejects.toThrow('answer lost');
  await worker.give([r1]);
  await worker.give([r2]);
  expect(bench.ledger.map(({ readings }) => readings)).toEqual([1, 1]);
  expect(bench.checkpoints).toEqual([`${r1.sequenceNumber}.0`, `${r2.sequenceNumber}.0`]);
});

test('records trimmed before an intent could be finished are an explicit gap, and reading goes on', async () => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('objects.create', 'before'), flushBytes: 300 });
  await expect(dead.give([r1, r2])).rejects.toThrow('died');
  const heir = await bench.worker();
  await heir.give([r3]);
  expect(bench.ledger).toEqual([expect.objectContaining({ gap: true, readings: 1 })]);
  expect(bench.alarms).toContain('StreamGaps');
  await heir.give([r4]);
  expect(bench.ledger.map(({ gap }) => gap)).toEqual([true, undefined]);
});

test('an intent whose whole range was trimmed is given up after reads to the tip gave nothing for a while', async () => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('objects.create', 'before') });
  await expect(dead.give([r1])).rejects.toThrow('died');
  const heir = await bench.worker();
  await heir.give([], BASE + 10_000);
  await heir.give([], BASE + 200_000);
  expect(bench.head).toMatchObject({ pending: { id: 'id0' }, progress: 0 });
  await heir.give([], BASE + 320_000);
  expect(bench.head.pending).toBeUndefined();
  expect(bench.ledger).toEqual([expect.objectContaining({ gap: true, readings: 0, records: 0 })]);
  await heir.give([], BASE + 330_000);
  expect(bench.head.progress).toBe(BASE + 330_000);
});

test('a head further back than the stream’s retention is a gap; one within it is not', async () => {
  for (const [retention, gap] of [
    [24 * HOUR, true],
    [48 * HOUR, undefined],
  ] as const) {
    const bench = new Bench();
    bench.retention = retention;
    await (await bench.worker()).give([r1]);
    const heir = await bench.worker();
    await heir.give([r2], r1.approximateArrivalTimestamp + 25 * HOUR);
    expect(bench.ledger.map((row) => row.gap)).toEqual([undefined, gap]);
  }
});

test('a record of more event hours than one commit takes is cut inside, and read again after a restart', async () => {
  const bench = new Bench();
  const record = enveloped(
    Array.from({ length: 200 }, (_, at) => ({ timestamp: BASE - at * HOUR, temperature: 1 })),
    { sequence: 7 },
  );
  let commits = 0;
  const dying = await bench.worker({
    fault: (operation, moment) => {
      if (operation === 'registry.transact' && moment === 'before' && ++commits === 2) throw new Error('died');
    },
  });
  await expect(dying.give([record])).rejects.toThrow('died');
  expect(bench.head).toMatchObject({ end: `${record.sequenceNumber}.0.89`, partial: true });
  expect(bench.checkpoints).toEqual([]);
  expect(startAfter({ end: '5.3.1', partial: true })).toEqual({
    type: 'AFTER',
    position: { sequenceNumber: '5', subSequenceNumber: 2 },
  });
  const heir = await bench.worker();
  await heir.give([record]);
  expect(bench.head).toMatchObject({ end: `${record.sequenceNumber}.0.199`, partial: false });
  expect(bench.ledger.map(({ readings, records }) => [readings, records])).toEqual([
    [90, 0],
    [90, 0],
    [20, 1],
  ]);
  expect(bench.table.all().filter(({ sk }) => sk.startsWith('SEGMENT#'))).toHaveLength(200);
});

test('progress moves on idle only with nothing buffered, and is never moved back', async () => {
  const bench = new Bench();
  const worker = await bench.worker({ flushBytes: 1e6 });
  await worker.give([], BASE + 5_000);
  expect(bench.head.progress).toBe(BASE + 5_000);
  await worker.give([r1], BASE + 20_000);
  await worker.give([], BASE + 20_500);
  expect(bench.head.progress).toBe(BASE + 5_000);
  await bench.clock.runUntil(BASE + 2_000);
  // The batch is due now, and this read proves that nothing is left behind it.
  await worker.give([], BASE + 21_000);
  expect(bench.head.progress).toBe(BASE + 21_000);
  const zombie = await bench.worker();
  await zombie.give([], BASE + 15_000);
  expect(bench.head.progress).toBe(BASE + 21_000);
});

test('buffers of all shards together stay within the memory budget', async () => {
  const bench = new Bench();
  const worker = await bench.worker({ flushBytes: 1e6, budget: 1_000 });
  await worker.give(Array.from({ length: 50 }, (_, at) => reading(at + 1)));
  expect(bench.ledger.length).toBeGreaterThan(5);
});

test('shard end commits the rest before the head is finished, whoever else finishes it', async () => {
  const bench = new Bench();
  const [a, b] = [await bench.worker({ flushBytes: 1e6 }), await bench.worker({ flushBytes: 1e6 })];
  await a.give([r1]);
  await b.give([r1]);
  const checkpointer = {
    checkpoint: async () => undefined,
    prepareCheckpoint: async () => ({ commit: async () => undefined }),
  };
  await a.processor.shardEnded({ checkpointer });
  await b.processor.shardEnded({ checkpointer });
  expect(bench.head).toMatchObject({ finished: true, end: `${r1.sequenceNumber}.0.0` });
  expect(bench.ledger).toHaveLength(1);
});
