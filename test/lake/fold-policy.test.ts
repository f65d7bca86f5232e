import { completeUntil } from '../../consumer/lake/fold/completeness';
import { freeze, tailLength, tailOf } from '../../consumer/lake/fold/freeze';
import { LeaderLock } from '../../consumer/lake/fold/leader-lock';
import { mayFold, quietPeriod } from '../../consumer/lake/fold/policy';
import { FoldFailedError, type FoldRunner } from '../../consumer/lake/fold/runner';
import { FoldCoordinator } from '../../consumer/lake/fold/coordinator';
import type { Head } from '../../consumer/lake/append/head';
import { headItem } from '../../consumer/lake/append/head';
import { paddedPosition, parsePosition } from '../../consumer/lake/position';
import { segmentItem, segmentShard, type SegmentItem } from '../../consumer/lake/registry-items';
import { MemoryObjects, MemoryRegistry } from './support/memory-stores';
import { VirtualClock } from './support/simulation';
import { BASE, HOUR, testUseCase } from './support/telemetry';

const SPACE = 2n ** 128n;
const head = (start: bigint, end: bigint, progress: number, finished = false): Head => ({
  shardId: `shard-${start}-${end}`,
  end: 'TRIM_HORIZON',
  partial: false,
  progress,
  startingHashKey: String(start),
  endingHashKey: String(end),
  finished,
});

test('completeness is the least progress of unfinished heads that cover the key space', () => {
  const half = SPACE / 2n;
  expect(completeUntil([])).toBe(-Infinity);
  expect(completeUntil([head(0n, SPACE - 1n, 7)])).toBe(7);
  expect(completeUntil([head(half, SPACE - 1n, 9), head(0n, half - 1n, 5)])).toBe(5);
  expect(completeUntil([head(half, SPACE - 1n, 9), head(0n, half - 2n, 5)])).toBe(-Infinity);
  expect(completeUntil([head(0n, half - 1n, 5)])).toBe(-Infinity);
  expect(completeUntil([head(1n, SPACE - 1n, 5)])).toBe(-Infinity);
  // A finished parent whose second child nobody has opened is a hole; with both children it is not.
  expect(completeUntil([head(0n, SPACE - 1n, 3, true), head(0n, half - 1n, 9)])).toBe(-Infinity);
  expect(completeUntil([head(0n, SPACE - 1n, 3, true), head(0n, half - 1n, 9), head(half, SPACE - 1n, 8)])).toBe(8);
  // A child that is opened before its parent is finished does not hide the parent.
  expect(completeUntil([head(0n, SPACE - 1n, 3), head(0n, half - 1n, 9), head(half, SPACE - 1n, 8)])).toBe(3);
});

test('a partition folds when complete and quiet, or when its oldest reading waited four periods', () => {
  const question = {
    hourEnd: 1000,
    lateness: 100,
    generation: 1,
    completeUntil: 1100,
    oldestArrival: 900,
    newestArrival: 1000,
  };
  expect(mayFold(question)).toBe(true);
  expect(mayFold({ ...question, completeUntil: 1099 })).toBe(false);
  expect(mayFold({ ...question, newestArrival: 1001 })).toBe(false);
  expect(mayFold({ ...question, newestArrival: 1090, oldestArrival: 700 })).toBe(true);
  expect(mayFold({ ...question, newestArrival: 1090, oldestArrival: 701 })).toBe(false);
  expect(mayFold({ ...question, generation: 2 })).toBe(false);
  expect(mayFold({ ...question, generation: 2, completeUntil: 1200 })).toBe(true);
  expect([1, 2, 3, 7, 8, 50].map((generation) => quietPeriod(10, generation))).toEqual([10, 20, 40, 640, 640, 640]);
});

const partition = { useCase: 'test-case', dt: '2026-03-04', hour: '00' };
const segment = (name: string, newestEvent = BASE): SegmentItem =>
  segmentItem({
    useCase: 'test-case',
    hour: '2026-03-04T00',
    key: `readings/test-case/dt=2026-03-04/hour=00/${name}.parquet`,
    rows: 10,
    bytes: 1,
    contentHash: 'x',
    rowGroups: [],
    oldestArrival: BASE,
    newestArrival: BASE,
    newestEvent,
  }) as unknown as SegmentItem;

test('the first freeze of a generation holds for everybody; another build’s is left for the next number', async () => {
  const objects = new MemoryObjects();
  const registry = new MemoryRegistry();
  const request = {
    partition,
    sealed: 0,
    previous: undefined,
    codeVersion: 'a',
    rowsPerBucket: 15,
    segments: [segment('s-1-1-1')],
    tailSegments: [],
  };
  const first = await freeze(objects, registry, request);
  expect(first).toMatchObject({ fresh: true, inputs: { generation: 1, buckets: 1 } });
  const second = await freeze(objects, registry, { ...request, segments: [segment('s-1-1-1'), segment('s-2-2-2')] });
  expect(second).toEqual({ fresh: false, inputs: first!.inputs });
  const other = await freeze(objects, registry, {
    ...request,
    codeVersion: 'b',
    segments: [segment('s-1-1-1'), segment('s-2-2-2')],
  });
  expect(other).toMatchObject({ fresh: true, inputs: { generation: 2, buckets: 2 } });
  // A set that lacks what the generation before holds was read too early.
  expect(await freeze(objects, registry, { ...request, codeVersion: 'c' })).toBeUndefined();
  expect(objects.keys('')).toHaveLength(2);
});

test('the tail is what windows reach back to', () => {
  expect(tailLength({ sizeMs: 300, lookbackMs: 300 })).toBe(0);
  expect(tailLength({ sizeMs: 300, lookbackMs: 1000 })).toBe(700);
  const late = segment('late', BASE + HOUR - 700);
  expect(tailOf(partition, [segment('early', BASE + HOUR - 701), late], 700)).toEqual([late]);
  expect(tailOf(partition, [late], 0)).toEqual([]);
});

test('positions sort as text as they do in the shard', () => {
  const order = [
    'TRIM_HORIZON',
    '5.0.0',
    '5.0.1',
    '5.0.10',
    '5.2.0',
    '5.10.0',
    '49.0.0',
    '123456789012345678901234567890.0.0',
  ];
  expect([...order].map(paddedPosition).sort()).toEqual(order.map(paddedPosition));
  expect(parsePosition('AT_TIMESTAMP:17')).toBeUndefined();
  expect(segmentShard('readings/u/dt=1/hour=0/shardId-000000000003-TRIM_HORIZON-5.0.1-ab12.parquet')).toBe(
    'shardId-000000000003',
  );
});

test('the lock passes on when its holder is silent, or lets it go', async () => {
  const registry = new MemoryRegistry();
  const clock = new VirtualClock();
  const [a, b] = ['a', 'b'].map((owner) => new LeaderLock(registry, clock, owner, 1000)) as [LeaderLock, LeaderLock];
  expect(await a.hold()).toBe(true);
  expect(await b.hold()).toBe(false);
  await clock.runUntil(BASE + 900);
  expect([await a.hold(), await b.hold()]).toEqual([true, false]);
  await clock.runUntil(BASE + 1899);
  expect(await b.hold()).toBe(false);
  await clock.runUntil(BASE + 1900);
  expect([await b.hold(), await a.hold()]).toEqual([true, false]);
  await b.release();
  expect(await a.hold()).toBe(true);
});

test('a fold that fails three times is parked with an alarm; requests that fail are not counted', async () => {
  const registry = new MemoryRegistry();
  const clock = new VirtualClock();
  registry.table.set({ pk: 'HEADS#0', sk: 's' }, headItem({ ...head(0n, SPACE - 1n, BASE + 9 * HOUR), shardId: 's' }));
  const item = segment('s-1-1-1');
  registry.table.set(item, item as never);
  const failures: Error[] = [
    new Error('cut'),
    new FoldFailedError('1'),
    new Error('cut'),
    new FoldFailedError('2'),
    new FoldFailedError('3'),
  ];
  let runs = 0;
  const runner: FoldRunner = { run: async () => Promise.reject(failures[runs++]!), close: async () => undefined };
  const parked: string[] = [];
  const coordinator = new FoldCoordinator({
    registry,
    objects: new MemoryObjects(),
    runner,
    clock,
    log: () => undefined,
    metrics: (name) => parked.push(name),
    workerId: 'w',
    codeVersion: 'v',
    lock: new LeaderLock(registry, clock, 'w', 1e9),
    useCases: [testUseCase],
  });
  for (let tick = 0; tick < 20; tick++) {
    await coordinator.tick();
    await clock.runUntil(clock.now() + 10_000);
  }
  expect(runs).toBe(5);
  expect(parked).toEqual(['FoldTasksParked']);
});
