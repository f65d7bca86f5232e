/**
 * Mirrors KCL's HierarchicalShardSyncerTest. Graph A: shards 0, 1 → 6; 2, 3 → 7; 6, 7 → 8; 4 stays open; 5 → 9, 10.
 * Open: 4, 8, 9, 10.
 */
import type { KinesisShard } from '../../../consumer/kcl/dependencies';
import { findHole } from '../../../consumer/kcl/common/hash-key-range';
import { isFinished, type Lease } from '../../../consumer/kcl/leases/lease';
import {
  leasesForEmptyTable,
  leasesToCreate,
  type InitialPositionType,
} from '../../../consumer/kcl/shards/hierarchical-shard-syncer';
import { FakeStream } from '../support/fake-stream';
import { lease } from '../support/leases';
import { seededRandom } from '../support/virtual-time';

const SPACE = 2n ** 128n;

function shard(id: number, range: [number, number], sequence: [number, number?], parents: number[] = []): KinesisShard {
  const [from, to] = range.map((tenth) => (SPACE * BigInt(tenth)) / 60n) as [bigint, bigint];
  return {
    shardId: `shard-${id}`,
    hashKeyRange: { startingHashKey: String(from), endingHashKey: String(to - 1n) },
    startingSequenceNumber: String(sequence[0]),
    ...(sequence[1] === undefined ? {} : { endingSequenceNumber: String(sequence[1]) }),
    ...(parents[0] === undefined ? {} : { parentShardId: `shard-${parents[0]}` }),
    ...(parents[1] === undefined ? {} : { adjacentParentShardId: `shard-${parents[1]}` }),
  };
}

const GRAPH_A: readonly KinesisShard[] = [
  shard(0, [0, 10], [1, 102]),
  shard(1, [10, 20], [1, 102]),
  shard(2, [20, 30], [1, 203]),
  shard(3, [30, 40], [1, 203]),
  shard(4, [40, 50], [1]),
  shard(5, [50, 60], [1, 204]),
  shard(6, [0, 20], [103, 303], [0, 1]),
  shard(7, [20, 40], [204, 303], [2, 3]),
  shard(8, [0, 40], [304], [6, 7]),
  shard(9, [50, 55], [205], [5]),
  shard(10, [55, 60], [205], [5]),
];

const POSITIONS: readonly InitialPositionType[] = ['LATEST', 'TRIM_HORIZON', 'AT_TIMESTAMP'];

function toCreate(
  leased: readonly number[],
  initialPosition: InitialPositionType,
  shards = GRAPH_A,
  finished: readonly number[] = [],
  ignoreUnexpectedChildShards = false,
): Lease[] {
  const checkpoint = (id: number) => ({
    sequenceNumber: finished.includes(id) ? 'SHARD_END' : '500',
    subSequenceNumber: 0,
  });
  const leases = leased.map((id) => lease(`shard-${id}`, { checkpoint: checkpoint(id) }));
  return [...leasesToCreate({ shards, leases, initialPosition, ignoreUnexpectedChildShards })];
}

const ids = (leases: readonly Lease[]): number[] =>
  leases.map(({ leaseKey }) => Number(leaseKey.slice('shard-'.length))).sort((a, b) => a - b);

describe('leasesToCreate (HierarchicalShardSyncerTest)', () => {
  test.each([
    [[3, 4, 5], 'LATEST', [2, 6]],
    [[3, 4, 5], 'TRIM_HORIZON', [0, 1, 2]],
    [[3, 4, 5], 'AT_TIMESTAMP', [0, 1, 2]],
    [[2, 6], 'LATEST', [3, 4, 9, 10]],
    [[2, 6], 'TRIM_HORIZON', [3, 4, 5]],
    [[2, 6], 'AT_TIMESTAMP', [3, 4, 5]],
    [[4, 9, 10], 'LATEST', [8]],
    [[4, 9, 10], 'TRIM_HORIZON', [0, 1, 2, 3]],
    [[4, 5, 8], 'LATEST', []],
    [[4, 8, 9, 10], 'TRIM_HORIZON', []],
    [[0, 1, 2, 3, 4], 'LATEST', [9, 10]],
    [[0, 1, 2, 3, 4], 'TRIM_HORIZON', [5]],
    [[0, 3, 4, 8, 9], 'LATEST', [10]],
    [[7, 9, 10], 'LATEST', [4, 6]],
    [[7, 9, 10], 'AT_TIMESTAMP', [0, 1, 4]],
  ] as const)('graph A, leases %j, %s: creates %j', (leased, position, expected) => {
    const created = toCreate(leased, position);
    expect(ids(created)).toEqual(expected);
    expect(created.every((row) => row.checkpoint.sequenceNumber === position)).toBe(true);
  });

  test.each(POSITIONS)('graph A, leases {4,5,6,7} or {0,1,4,7,9,10}, %s: nothing', (position) => {
    expect(toCreate([4, 5, 6, 7], position)).toEqual([]);
    expect(toCreate([0, 1, 4, 7, 9, 10], position)).toEqual([]);
  });

  test.each([
    ['LATEST', [4, 8, 9, 10]],
    ['TRIM_HORIZON', [0, 1, 2, 3, 4, 5]],
    ['AT_TIMESTAMP', [0, 1, 2, 3, 4, 5]],
  ] as const)('graph A without leases, %s: creates %j', (position, expected) => {
    expect(ids(toCreate([], position))).toEqual(expected);
  });

  test('ancestors that expired are not asked for', () => {
    const listed = GRAPH_A.filter(({ shardId }) => !['shard-0', 'shard-1', 'shard-2'].includes(shardId));
    expect(ids(toCreate([4, 9, 10], 'TRIM_HORIZON', listed))).toEqual([3, 6]);
  });

  test('rows are made in the order of starting sequence number, then shard id, with their parents', () => {
    const created = toCreate([2, 6], 'LATEST');
    expect(created.map((row) => row.leaseKey)).toEqual(['shard-3', 'shard-4', 'shard-10', 'shard-9']);
    expect(created.at(-1)!.parentShardIds).toEqual(['shard-5']);
  });

  test('child of an open parent: an error, with the flag only the child is left out', () => {
    const shards = [...GRAPH_A, shard(11, [40, 45], [400], [4])];
    expect(() => toCreate([9, 10], 'LATEST', shards)).toThrow(/shard-11 is listed as a child of shard-4/);
    expect(ids(toCreate([9, 10], 'LATEST', shards, [], true))).toEqual([4, 8]);
  });

  test('a child of a finished parent that has no row gets one at TRIM_HORIZON', () => {
    const created = toCreate([0, 1, 4, 7, 9, 10], 'LATEST', GRAPH_A, [0, 1]);
    expect(created.map((row) => [row.leaseKey, row.checkpoint.sequenceNumber])).toEqual([['shard-6', 'TRIM_HORIZON']]);
    // The other parent still runs: the child waits for it, but its row belongs there once one parent has ended.
    expect(ids(toCreate([0, 1, 4, 7, 9, 10], 'LATEST', GRAPH_A, [0]))).toEqual([6]);
    // Without a row of the other parent the child would not wait for it.
    expect(ids(toCreate([2, 4, 6, 9, 10], 'LATEST', GRAPH_A, [6]))).toEqual([3]);
  });
});

describe('leasesForEmptyTable (HierarchicalShardSyncerTest)', () => {
  test('one row per listed shard at the initial position', () => {
    const open = GRAPH_A.filter((s) => s.endingSequenceNumber === undefined);
    expect(ids([...leasesForEmptyTable(open, 'LATEST')])).toEqual([4, 8, 9, 10]);
    expect(ids([...leasesForEmptyTable(GRAPH_A.slice(0, 6), 'AT_TIMESTAMP')])).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('a hole in the key space is an error', () => {
    expect(() => leasesForEmptyTable(GRAPH_A.slice(0, 5), 'TRIM_HORIZON')).toThrow(/leaves the hash keys \d+ to/);
  });
});

describe('random reshard trees (PeriodicShardSyncManagerTest)', () => {
  test('1000 trees with rows of any consistent age: rows not at SHARD_END, with those to create, cover the key space', () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const random = seededRandom(seed);
      const stream = new FakeStream(() => 0, 1 + Math.floor(random() * 4));
      const leases = new Map<string, Lease>();
      const position = POSITIONS[seed % 3]!;
      const steps = Math.floor(random() * 12);
      const syncAt = Math.floor(random() * (steps + 1));
      for (let step = 0; step <= steps; step++) {
        if (step === syncAt) {
          for (const row of toCreateFor(stream, leases, position)) leases.set(row.leaseKey, row);
        }
        reshard(stream, random);
        // Some parents have been read to their end: then their children have rows.
        for (const row of [...leases.values()]) {
          const { end, id } = stream.shard(row.leaseKey);
          if (end === undefined || random() < 0.5 || isFinished(row)) continue;
          if (row.parentShardIds.some((parent) => leases.has(parent) && !isFinished(leases.get(parent)!))) continue;
          const children = stream.childrenOf(id);
          if (!children.every((child) => child.parentShards.every((parent) => leases.has(parent)))) continue;
          for (const child of children) {
            if (!leases.has(child.shardId)) {
              leases.set(child.shardId, lease(child.shardId, { parentShardIds: child.parentShards }));
            }
          }
          leases.set(id, { ...row, checkpoint: { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 } });
        }
      }
      // A row may get lost; the sync after that must mend it.
      if (random() < 0.3 && leases.size > 0) leases.delete([...leases.keys()].at(-1)!);
      for (const row of toCreateFor(stream, leases, position)) leases.set(row.leaseKey, row);
      const covered = [...leases.values()]
        .filter((row) => !isFinished(row))
        .map((row) => rangeOf(stream, row.leaseKey));
      expect({ seed, hole: findHole(covered) }).toEqual({ seed, hole: undefined });
    }
  });
});

function toCreateFor(stream: FakeStream, leases: ReadonlyMap<string, Lease>, position: InitialPositionType): Lease[] {
  return [
    ...leasesToCreate({
      shards: stream.listShards(undefined),
      leases: [...leases.values()],
      initialPosition: position,
      ignoreUnexpectedChildShards: false,
    }),
  ];
}

function rangeOf(stream: FakeStream, id: string) {
  const { from, to } = stream.shard(id);
  return { startingHashKey: String(from), endingHashKey: String(to) };
}

function reshard(stream: FakeStream, random: () => number): void {
  const open = [...stream.openShards].sort((a, b) => (a.from < b.from ? -1 : 1));
  const at = Math.floor(random() * open.length);
  if (open.length > 1 && random() < 0.5) {
    const first = Math.min(at, open.length - 2);
    stream.merge(open[first]!.id, open[first + 1]!.id);
  } else stream.split(open[at]!.id);
}
