import type { InitializationInput, KinesisClientRecord, ShardInfo } from '../../consumer/kcl/processor';
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

  async worker(
    options: {
      codeVersion?: string;
      fault?: FaultHook;
      flushBytes?: number;
      budget?: number;
      shard?: ShardInfo;
      checkpoint?: InitializationInput['checkpoint'];
    } = {},
  ) {
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
    const { checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 } } = options;
    const start = await processor.initialize({ shard: options.shard ?? shard, checkpoint, fence });
    return {
      processor,
      start,
      give: (records: KinesisClientRecord[], serviceTime = BASE, atTip = true) => {
        const last = records.at(-1);
        const millisBehindLatest = atTip || !last ? 0 : serviceTime - last.approximateArrivalTimestamp;
        return processor.processRecords({ ...this.input(records, serviceTime), millisBehindLatest, atTip });
      },
      /** What the library gives where the stream has forgotten the shard. */
      gone: () => processor.processRecords({ ...this.input([], undefined), atTip: false }),
      end: () => processor.shardEnded(this.input([], BASE)),
    };
  }

  private input(records: KinesisClientRecord[], serviceTime: number | undefined) {
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

test('a checkpoint that another program wrote changes nothing: the head says where reading goes on', async () => {
  const bench = new Bench();
  await (await bench.worker()).give([r1]);
  for (const sequenceNumber of [r4.sequenceNumber, 'SHARD_END', 'LATEST']) {
    const worker = await bench.worker({ checkpoint: { sequenceNumber, subSequenceNumber: 0 } });
    expect(worker.start).toMatchObject({ type: 'AFTER', position: { sequenceNumber: r1.sequenceNumber } });
  }
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

test.each([
  ['is lost', 'before'],
  ['has its answer lost', 'after'],
] as const)('the same where the intent that takes its place %s', async (_, moment) => {
  const bench = new Bench();
  const dead = await bench.worker({ fault: dyingAt('objects.create', 'before'), flushBytes: 300 });
  await expect(dead.give([r1, r2])).rejects.toThrow('died');
  let lose = true;
  const heir = await bench.worker({
    fault: (operation, at) => {
      if (!lose || operation !== 'registry.write' || at !== moment) return;
      lose = false;
      throw new Error('no answer');
    },
  });
  await expect(heir.give([r3])).rejects.toThrow('no answer');
  await heir.give([r3, r4]);
  expect(bench.ledger.map(({ gap, readings }) => [gap, readings])).toEqual([
    [true, 1],
    [undefined, 1],
  ]);
});

test('a gap after what another worker commits meanwhile is marked all the same', async () => {
  const bench = new Bench();
  let stand = true;
  let goOn = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (goOn = resolve));
  const slow = await bench.worker({
    fault: async (operation, at) => {
      if (stand && operation === 'objects.create' && at === 'before') await stopped;
    },
  });
  const committing = slow.give([r1]);
  await new Promise((resolve) => setImmediate(resolve));
  const heir = await bench.worker();
  stand = false;
  // r1 to r3 are trimmed by now; the intent that the heir would replace is committed before it can.
  goOn();
  await committing;
  await heir.give([r4]);
  expect(bench.ledger.map(({ gap, readings }) => [gap, readings])).toEqual([
    [undefined, 1],
    [true, 1],
  ]);
});

test('a gap after an intent that is still to be finished is not the intent’s', async () => {
  const bench = new Bench();
  bench.retention = 24 * HOUR;
  let down = true;
  const worker = await bench.worker({
    fault: (operation) => {
      if (down && operation === 'objects.create') throw new Error('no answer');
    },
  });
  await expect(worker.give([r1])).rejects.toThrow('no answer');
  down = false;
  await worker.give([r4], r1.approximateArrivalTimestamp + 25 * HOUR);
  expect(bench.ledger.map(({ gap, readings }) => [gap, readings])).toEqual([
    [undefined, 1],
    [true, 1],
  ]);
});

test('what another worker read and committed meanwhile is no gap', async () => {
  const bench = new Bench();
  bench.retention = 24 * HOUR;
  const late = r1.approximateArrivalTimestamp + 25 * HOUR;
  await (await bench.worker()).give([r1]);
  const first = await bench.worker();
  const heir = await bench.worker({ flushBytes: 1e9 });
  await heir.give([r3], late);
  bench.retention = undefined;
  await first.give([r2, r3], late);
  await heir.give([r4], late);
  await heir.end();
  expect(bench.ledger.map(({ gap, readings }) => [gap, readings])).toEqual([
    [undefined, 1],
    [undefined, 1],
    [undefined, 1],
    [undefined, 1],
  ]);
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

test('so is one on a shard that has nothing left to read, be it idle, at its end or gone', async () => {
  const late = r1.approximateArrivalTimestamp + 25 * HOUR;
  for (const end of ['idle', 'read to its end', 'gone'] as const) {
    const bench = new Bench();
    bench.retention = 24 * HOUR;
    await (await bench.worker()).give([r1]);
    const heir = await bench.worker();
    bench.clock.now = () => late;
    if (end === 'gone') await heir.gone();
    else await heir.give([], late, end === 'idle');
    if (end !== 'idle') await heir.end();
    expect(bench.ledger.map(({ gap, records }) => [gap, records])).toEqual([
      [undefined, 1],
      [true, 0],
    ]);
    expect(bench.alarms.filter((name) => name === 'StreamGaps')).toHaveLength(1);
    expect(bench.head).toMatchObject(end === 'idle' ? { progress: late } : { finished: true });
    // The next commit begins where the gap does, and its row stands beside.
    if (end === 'idle') await heir.give([r2], late);
    expect(bench.ledger.filter(({ gap }) => gap === true)).toHaveLength(1);
  }
});

test('a worker that stood still for longer than the retention finds a gap too; one that reads on at the horizon does not', async () => {
  const bench = new Bench();
  bench.retention = 24 * HOUR;
  const from = r1.approximateArrivalTimestamp;
  bench.clock.now = () => from + 24 * HOUR - 2_000;
  const worker = await bench.worker();
  const backlog = [r1, r2, r3].map((record, at) => ({ ...record, approximateArrivalTimestamp: from + at * 1_000 }));
  for (const [at, record] of backlog.entries()) await worker.give([record], from + 24 * HOUR - 2_000 + at * 500, false);
  expect(bench.ledger.map(({ gap }) => gap)).toEqual([undefined, undefined, undefined]);
  await worker.give([], from + 30 * HOUR);
  expect(bench.alarms).not.toContain('StreamGaps');
  await worker.give([r4], from + 54 * HOUR);
  expect(bench.ledger.map(({ gap }) => gap)).toEqual([undefined, undefined, undefined, true]);
});

describe('a shard that was never read', () => {
  const child: ShardInfo = { ...shard, shardId: 'shardId-000000000001', parentShardIds: [shard.shardId] };
  const grandchild: ShardInfo = { ...child, shardId: 'shardId-000000000002', parentShardIds: [child.shardId] };
  const ends = r1.approximateArrivalTimestamp;
  const gapsOf = async (bench: Bench, of: ShardInfo, time: number): Promise<unknown[]> => {
    bench.clock.now = () => time;
    await (await bench.worker({ shard: of })).give([r2], time);
    const ledger = bench.table.query(ledgerPk(of.shardId), '') as unknown as LedgerItem[];
    return ledger.map(({ gap }) => gap);
  };
  const ended = async (): Promise<Bench> => {
    const bench = new Bench();
    bench.retention = 24 * HOUR;
    const parent = await bench.worker();
    await parent.give([r1]);
    // The read that ends the shard may come long after its end, and the child has records since then.
    await parent.give([], ends + 20 * HOUR, false);
    await parent.end();
    return bench;
  };

  test.each([
    [23, [undefined]],
    [25, [true]],
  ])('is a gap once its parents were last found open longer ago than the retention: %i hours', async (hours, gaps) => {
    expect(await gapsOf(await ended(), child, ends + hours * HOUR)).toEqual(gaps);
  });

  test.each([
    [23, [undefined]],
    [25, [true]],
  ])('stands for a parent that nobody opened either: %i hours', async (hours, gaps) => {
    expect(await gapsOf(await ended(), grandchild, ends + hours * HOUR)).toEqual(gaps);
  });

  test('is no gap where the application is new, whatever its parents held', async () => {
    const bench = new Bench();
    bench.retention = 24 * HOUR;
    expect(await gapsOf(bench, grandchild, ends)).toEqual([undefined]);
  });

  test('begins with nothing committed: no hour is complete before its records are read', async () => {
    const bench = await ended();
    await bench.worker({ shard: child });
    expect(bench.table.get(headKey(child.shardId))).toMatchObject({ progress: 0, since: ends });
  });

  test('is a gap where its first worker died before it read, and nobody came for longer than the retention', async () => {
    const bench = new Bench();
    bench.retention = 24 * HOUR;
    bench.clock.now = () => ends;
    await bench.worker();
    expect(await gapsOf(bench, shard, ends + 25 * HOUR)).toEqual([true]);
  });
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
