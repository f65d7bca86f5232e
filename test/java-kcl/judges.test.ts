/** What judges the runs of `npm run test:java-kcl` finds the faults that it is there for. Needs no Java. */
import { checkDeliveries } from './deliveries';
import { assertSameRows, faultsOf } from './rows';
import type { Note } from './worker-process';

let time = 0;
const note = (worker: string, event: Note['event'], shardId: string, sequenceNumber = '-', detail = '-'): Note => ({
  worker,
  time: ++time,
  event,
  shardId,
  sequenceNumber,
  detail,
});

/** Shard `p` with records 1 to 4, its child `c` with record 5. */
const RECORDS: Readonly<Record<string, readonly string[]>> = { p: ['1', '2', '3', '4'], c: ['5'] };
const stream = {
  written: Object.values(RECORDS).flat(),
  parents: async () => new Map([['p', []] as [string, string[]], ['c', ['p']] as [string, string[]]]),
  read: async (shardId: string) => (RECORDS[shardId] ?? []).map((id) => ({ sequenceNumber: id, id })),
};
const records = (worker: string, shardId: string, ...ids: readonly string[]): Note[] =>
  ids.map((id) => note(worker, 'record', shardId, id, id));
const begin = (worker: string, shardId: string, start: string): Note => note(worker, 'initialize', shardId, start);
const judge = (...notes: (Note | Note[])[]) => checkDeliveries({ stream, notes: notes.flat() });
const child = (): Note[] => [begin('node-1', 'c', 'TRIM_HORIZON'), ...records('node-1', 'c', '5')];

test('a takeover from a checkpoint repeats what came after it, and is counted', async () => {
  const result = await judge(
    begin('java-1', 'p', 'TRIM_HORIZON'),
    records('java-1', 'p', '1', '2'),
    note('java-1', 'checkpoint', 'p', '2'),
    records('java-1', 'p', '3'),
    begin('node-1', 'p', '2'),
    records('node-1', 'p', '3', '4'),
    note('node-1', 'shardEnded', 'p'),
    child(),
  );
  expect(result).toMatchObject({ records: 5, deliveries: 6, duplicates: 1, shardsEnded: { java: 0, node: 1 } });
});

test('who lost the lease before it had a record took nothing over', async () => {
  const late = [begin('java-2', 'p', 'TRIM_HORIZON'), note('java-2', 'leaseLost', 'p')];
  const result = await judge(
    begin('node-1', 'p', 'TRIM_HORIZON'),
    late,
    records('node-1', 'p', '1', '2', '3', '4'),
    note('node-1', 'checkpoint', 'p', '4'),
    note('node-1', 'shardEnded', 'p'),
    child(),
  );
  expect(result).toMatchObject({ records: 5, duplicates: 0 });
  await expect(judge(...whole(), note('java-1', 'checkpoint', 'p', '2'), late[0]!)).rejects.toThrow(/checkpointed p/);
});

const whole = (): Note[] => [begin('java-1', 'p', 'TRIM_HORIZON'), ...records('java-1', 'p', '1', '2', '3', '4')];
const end = (): Note => note('java-1', 'shardEnded', 'p');

test.each<[string, () => Note[], RegExp]>([
  [
    'a record that is left out',
    () => [begin('java-1', 'p', 'TRIM_HORIZON'), ...records('java-1', 'p', '1', '3')],
    /given of p/,
  ],
  ['a record that comes twice to one', () => [...whole(), ...records('java-1', 'p', '4')], /given of p/],
  [
    'a start before the checkpoint',
    () => [...whole(), note('java-1', 'checkpoint', 'p', '4'), begin('node-1', 'p', '2')],
    /checkpointed p at 4/,
  ],
  [
    'a checkpoint after a takeover',
    () => [...whole().slice(0, 3), begin('node-1', 'p', '1'), note('java-1', 'checkpoint', 'p', '2')],
    /checkpointed p at 2/,
  ],
  ['a record that nobody processed', () => [...whole().slice(0, 4), end(), ...child()], /no worker processed/],
  ['a child before its parent ended', () => [...whole(), ...child(), end()], /c was begun/],
])('%s is found', async (_what, notes, message) => {
  await expect(judge(notes())).rejects.toThrow(message);
});

const lease = {
  leaseKey: { S: 'p' },
  entityType: { S: 'LEASE' },
  leaseCounter: { N: '3' },
  checkpoint: { S: 'TRIM_HORIZON' },
  startingHashKey: { S: '0' },
  endingHashKey: { S: '9' },
  parentShardId: { SS: ['a', 'b'] },
};

test('rows are judged by their attributes and types', () => {
  expect(faultsOf(lease)).toEqual([]);
  expect(faultsOf({ ...lease, parentShardId: { L: [] } })).toEqual(['LEASE p has parentShardId of type L']);
  expect(faultsOf({ ...lease, parentShardIds: { SS: ['a'] } })).toEqual(['LEASE p has parentShardIds of type SS']);
  expect(faultsOf({ leaseKey: { S: 'Leader' }, ownerName: { S: 'w' }, leaseDuration: { N: '1' } })).toEqual([
    'LEADER Leader has leaseDuration of type N',
  ]);
});

test('rows are the same whoever owns them and in whatever order their sets are', () => {
  const other = { ...lease, leaseCounter: { N: '7' }, parentShardId: { SS: ['b', 'a'] } };
  assertSameRows([lease], [other]);
  expect(() => assertSameRows([lease], [{ ...other, checkpoint: { S: '1' } }])).toThrow(/row p/);
  expect(() => assertSameRows([lease], [{ ...other, leaseCounter: { S: '7' } }])).toThrow(/row p/);
  expect(() => assertSameRows([lease], [])).toThrow(/keys of the rows/);
});
