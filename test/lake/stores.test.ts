import { ContentMismatchError, createSame } from '../../consumer/lake/stores/object-store';
import { ConditionFailedError, type Condition, type RegistryStore } from '../../consumer/lake/stores/registry-store';
import { AwsError } from '../../local/gateway/service';
import { MemoryObjects, MemoryRegistry } from './support/memory-stores';
import { wiredStores, type WiredStores } from './support/wire';

let wired: WiredStores;
beforeAll(async () => {
  wired = await wiredStores();
});
afterAll(() => wired.close());

const key = { pk: 'P', sk: 'item' };
const item = { ...key, text: 'a', count: 3, flag: true, list: [1, { deep: 'x' }], map: { id: 'one' } };

/** The same steps on a store: what each gave. The in-memory store of the simulation must agree with the wire. */
async function steps(registry: RegistryStore): Promise<unknown[]> {
  const seen: unknown[] = [];
  const attempt = async (work: Promise<unknown>): Promise<void> => {
    try {
      seen.push(await work);
    } catch (error) {
      seen.push((error as Error).name);
    }
  };
  const conditions: Condition[] = [
    [[{ path: 'pk', absent: true }]],
    [[{ path: 'map.id', equals: 'one' }]],
    [[{ path: 'map.id', equals: 'two' }]],
    [[{ path: 'nothing.id', equals: 'two' }]],
    [
      [
        { path: 'count', lessThan: 4 },
        { path: 'text', equals: 'a' },
      ],
    ],
    [[{ path: 'count', lessThan: 3 }]],
    [[{ path: 'absent', lessThan: 3 }]],
    [
      [{ path: 'text', equals: 'b' }],
      [
        { path: 'flag', equals: true },
        { path: 'map', absent: true },
      ],
      [{ path: 'count', equals: 3 }],
    ],
    [[{ path: 'map', absent: true }], [{ path: 'text', equals: 'z' }]],
  ];
  await attempt(registry.get(key));
  await attempt(registry.write({ put: item, condition: conditions[0]! }));
  await attempt(registry.get(key));
  for (const condition of conditions) await attempt(registry.write({ update: key, set: { touched: true }, condition }));
  await attempt(registry.write({ update: key, set: { text: 'b', map: { id: 'two' } }, remove: ['flag', 'unknown'] }));
  await attempt(registry.get(key));
  for (let at = 0; at < 12; at++) {
    const range = `2026-03-04T${String(at % 6).padStart(2, '0')}`;
    await attempt(
      registry.write({
        put: { pk: 'Q', sk: `S#${String(at).padStart(2, '0')}`, unfolded: 'case', unfoldedPartition: range },
      }),
    );
  }
  await attempt(registry.query('Q', 'S#0'));
  await attempt(registry.query('Q'));
  const ranges = async (query: object): Promise<unknown> =>
    (await registry.unfolded({ hash: 'case', limit: 100, ...query })).map(({ unfoldedPartition }) => unfoldedPartition);
  await attempt(ranges({}));
  await attempt(ranges({ before: '2026-03-04T02' }));
  await attempt(ranges({ after: '2026-03-04T03' }));
  await attempt(ranges({ after: '2026-03-04T00', before: '2026-03-04T04' }));
  await attempt(ranges({ after: '2026-03-04T00', before: '2026-03-04T04', limit: 3 }));
  await attempt(registry.write({ update: { pk: 'Q', sk: 'S#00' }, remove: ['unfolded', 'unfoldedPartition'] }));
  await attempt(ranges({ before: '2026-03-04T01' }));
  const both = [
    { update: key, set: { text: 'c' }, condition: [[{ path: 'text', equals: 'b' }]] },
    { delete: { pk: 'Q', sk: 'S#01' } },
    { put: { pk: 'Q', sk: 'S#99', n: 1 } },
  ] as const;
  await attempt(registry.transact(both));
  await attempt(registry.transact(both));
  await attempt(registry.query('Q', 'S#'));
  await attempt(
    registry
      .getMany([key, { pk: 'Q', sk: 'S#99' }, { pk: 'no', sk: 'no' }])
      .then((items) => items.map(({ sk }) => sk).sort()),
  );
  return seen;
}

test('the in-memory registry answers as DynamoDB does', async () => {
  const [memory, wire] = [await steps(new MemoryRegistry()), await steps(wired.registry)];
  expect(memory).toEqual(wire);
  expect(memory.filter((answer) => answer === 'ConditionFailedError')).toHaveLength(7);
});

test('more keys than one request takes', async () => {
  const keys = Array.from({ length: 130 }, (_, at) => ({ pk: 'many', sk: String(at) }));
  for (let at = 0; at < keys.length; at += 100)
    await wired.registry.transact(keys.slice(at, at + 100).map((put) => ({ put })));
  expect(await wired.registry.getMany(keys)).toHaveLength(130);
});

test('a conflict with a transaction is tried again; throttling beyond the SDK’s patience is told', async () => {
  let conflicts = 3;
  wired.gateway.fault = (service, operation) =>
    service === 'dynamodb' && operation === 'TransactWriteItems' && conflicts-- > 0
      ? new AwsError('TransactionCanceledException', 'cancelled', 400, {
          CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
        })
      : undefined;
  await wired.registry.transact([{ put: { pk: 'c', sk: 'c' } }]);
  expect(conflicts).toBe(-1);
  wired.gateway.fault = () => new AwsError('ValidationException', 'no');
  await expect(wired.registry.transact([{ put: { pk: 'c', sk: 'c' } }])).rejects.toThrow('no');
  wired.gateway.fault = undefined;
  await expect(
    wired.registry.write({ update: { pk: 'c', sk: 'c' }, set: { a: 1 }, condition: [[{ path: 'a', equals: 2 }]] }),
  ).rejects.toThrow(ConditionFailedError);
});

test.each([
  ['memory', () => new MemoryObjects()],
  ['S3', () => wired.objects],
])('objects in %s are created once', async (_, open) => {
  const objects = open();
  const body = Buffer.from('0123456789');
  expect(await objects.head('readings/a b/x.parquet')).toBeUndefined();
  expect(await objects.get('readings/a b/x.parquet')).toBeUndefined();
  await createSame(objects, 'readings/a b/x.parquet', body, 'hash-1', { shard: 's' });
  await createSame(objects, 'readings/a b/x.parquet', body, 'hash-1');
  await expect(createSame(objects, 'readings/a b/x.parquet', Buffer.from('other'), 'hash-2')).rejects.toThrow(
    ContentMismatchError,
  );
  expect(await objects.head('readings/a b/x.parquet')).toEqual({
    bytes: 10,
    metadata: { shard: 's', 'content-sha256': 'hash-1' },
  });
  expect(Buffer.from((await objects.get('readings/a b/x.parquet', { start: 2, end: 5 }))!).toString()).toBe('234');
  expect(Buffer.from((await objects.get('readings/a b/x.parquet'))!).toString()).toBe('0123456789');
});

test('a conditional write that meets another is tried again', async () => {
  let answers = [new AwsError('ConditionalRequestConflict', 'busy', 409), new AwsError('SlowDown', 'slow', 503)];
  wired.gateway.fault = (_, operation) => (operation === 'PutObject' ? answers.shift() : undefined);
  expect(await wired.objects.create('k', Buffer.from('x'), {})).toBe('created');
  answers = [];
  wired.gateway.fault = undefined;
  expect(await wired.objects.create('k', Buffer.from('x'), {})).toBe('exists');
});
