import fc from 'fast-check';
import type { Item } from '../../../local/services/dynamodb/attribute-value';
import { Harness, key, N, S } from './support';
import type { Output } from './support';

async function filled(): Promise<Harness> {
  const harness = await Harness.start();
  for (const sk of [10, 2, -1, 0, 100])
    await harness.put({ ...key('a', sk), note: S(`n${sk}`), owner: S(sk > 1 ? 'w1' : 'w2'), at: N(-sk) });
  await harness.put({ ...key('b', 1), mark: S('m'), kind: S('k'), note: S('x'), other: S('y') });
  return harness;
}

const numbers = ({ Items }: Output) => (Items ?? []).map((item) => Number((item['sk'] as { N: string }).N));

/** Every page until there is no LastEvaluatedKey. */
async function pages(harness: Harness, operation: 'Query' | 'Scan', input: Record<string, unknown>): Promise<Item[]> {
  const items: Item[] = [];
  for (let ExclusiveStartKey: Item | undefined; ;) {
    const page = await harness.call(operation, {
      TableName: 'items',
      ...input,
      ...(ExclusiveStartKey && { ExclusiveStartKey }),
    });
    items.push(...(page.Items ?? []));
    ExclusiveStartKey = page.LastEvaluatedKey;
    if (ExclusiveStartKey === undefined) return items;
  }
}

describe('Query', () => {
  test.each<[string, Record<string, unknown>, number[]]>([
    ['pk = :a', {}, [-1, 0, 2, 10, 100]],
    [':a = pk AND sk = :two', { ':two': N(2) }, [2]],
    ['pk = :a AND sk < :two', { ':two': N(2) }, [-1, 0]],
    ['pk = :a AND sk <= :two', { ':two': N(2) }, [-1, 0, 2]],
    ['sk > :two AND pk = :a', { ':two': N(2) }, [10, 100]],
    ['pk = :a AND sk >= :two', { ':two': N(2) }, [2, 10, 100]],
    ['pk = :a AND :two <= sk', { ':two': N(2) }, [2, 10, 100]],
    ['pk = :a AND sk BETWEEN :zero AND :ten', { ':zero': N(0), ':ten': N(10) }, [0, 2, 10]],
    ['(pk = :a) AND (sk = :five)', { ':five': N(5) }, []],
  ])('%s, forwards, backwards and in pages of one', async (KeyConditionExpression, values, expected) => {
    const harness = await filled();
    const input = {
      TableName: 'items',
      KeyConditionExpression,
      ExpressionAttributeValues: { ':a': S('a'), ...values },
    };
    expect(numbers(await harness.call('Query', input))).toEqual(expected);
    expect(numbers(await harness.call('Query', { ...input, ScanIndexForward: false }))).toEqual(
      [...expected].reverse(),
    );
    expect(numbers({ Items: await pages(harness, 'Query', { ...input, Limit: 1 }) })).toEqual(expected);
    expect(numbers({ Items: await pages(harness, 'Query', { ...input, Limit: 1, ScanIndexForward: false }) })).toEqual(
      [...expected].reverse(),
    );
  });

  test('a limit that is met exactly gives one more, empty page', async () => {
    const harness = await filled();
    const input = {
      TableName: 'items',
      KeyConditionExpression: 'pk = :b',
      ExpressionAttributeValues: { ':b': S('b') },
      Limit: 1,
    };
    const { LastEvaluatedKey } = await harness.call('Query', input);
    expect(LastEvaluatedKey).toEqual(key('b', 1));
    const rest = await harness.call('Query', { ...input, ExclusiveStartKey: LastEvaluatedKey });
    expect(rest).toMatchObject({ Items: [], Count: 0 });
    expect(rest).not.toHaveProperty('LastEvaluatedKey');
  });

  test('Limit counts before the filter, Count after it', async () => {
    const harness = await filled();
    const input = {
      TableName: 'items',
      KeyConditionExpression: 'pk = :a',
      FilterExpression: 'note = :n',
      ExpressionAttributeValues: { ':a': S('a'), ':n': S('n2') },
    };
    expect(await harness.call('Query', { ...input, Limit: 2 })).toMatchObject({
      Count: 0,
      ScannedCount: 2,
      LastEvaluatedKey: key('a', 0),
    });
    expect(await harness.call('Query', input)).toMatchObject({ Count: 1, ScannedCount: 5 });
    const count = await harness.call('Query', { ...input, Select: 'COUNT' });
    expect(count).toMatchObject({ Count: 1 });
    expect(count).not.toHaveProperty('Items');
  });

  test('a page ends at 1 MiB', async () => {
    const harness = await Harness.start();
    for (let sk = 0; sk < 7; sk++) await harness.put({ ...key('p', sk), note: S('x'.repeat(300_000)) });
    const input = {
      TableName: 'items',
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': S('p') },
    };
    expect((await harness.call('Query', input)).Items).toHaveLength(4);
    expect(await pages(harness, 'Query', input)).toHaveLength(7);
  });

  test('a page goes on after a key whose item is gone', async () => {
    const harness = await filled();
    const input = {
      TableName: 'items',
      KeyConditionExpression: 'pk = :a',
      ExpressionAttributeValues: { ':a': S('a') },
    };
    const { LastEvaluatedKey } = await harness.call('Query', { ...input, Limit: 2 });
    await harness.call('DeleteItem', { TableName: 'items', Key: LastEvaluatedKey });
    expect(numbers(await harness.call('Query', { ...input, ExclusiveStartKey: LastEvaluatedKey }))).toEqual([
      2, 10, 100,
    ]);
  });

  const values = (...names: string[]) => ({
    ExpressionAttributeValues: Object.fromEntries(names.map((name) => [name, S('a')])),
  });
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no key condition', {}, /KeyConditionExpression parameter must be specified/],
    [
      'no partition key',
      { KeyConditionExpression: 'sk = :a', ExpressionAttributeValues: { ':a': N(1) } },
      /missed key schema element: pk/,
    ],
    [
      'a range of partition keys',
      { KeyConditionExpression: 'pk > :a', ...values(':a') },
      /Query key condition not supported/,
    ],
    [
      'another attribute',
      { KeyConditionExpression: 'pk = :a AND note = :a', ...values(':a') },
      /missed key schema element: sk/,
    ],
    [
      'OR',
      { KeyConditionExpression: 'pk = :a OR pk = :a', ...values(':a') },
      /Invalid operator used in KeyConditionExpression/,
    ],
    ['a condition twice', { KeyConditionExpression: 'pk = :a AND pk = :a', ...values(':a') }, /one condition per key/],
    [
      'a value of another type',
      { KeyConditionExpression: 'pk = :a AND sk = :a', ...values(':a') },
      /does not match schema type/,
    ],
    [
      'a filter on a key',
      { KeyConditionExpression: 'pk = :a', FilterExpression: 'sk = :a', ...values(':a') },
      /only contain non-primary key attributes.*sk/,
    ],
    [
      'an unknown index',
      { IndexName: 'byNothing', KeyConditionExpression: 'pk = :a', ...values(':a') },
      /does not have the specified index: byNothing/,
    ],
    [
      'a consistent read of an index',
      { IndexName: 'byMark', ConsistentRead: true, KeyConditionExpression: 'mark = :a', ...values(':a') },
      /not supported on global/,
    ],
    [
      'an attribute that the index lacks',
      { IndexName: 'byMark', KeyConditionExpression: 'mark = :a', ProjectionExpression: 'note', ...values(':a') },
      /does not project \[note\]/,
    ],
    [
      'all attributes of a partial index',
      { IndexName: 'byMark', KeyConditionExpression: 'mark = :a', Select: 'ALL_ATTRIBUTES', ...values(':a') },
      /projection type is not ALL/,
    ],
    [
      'a start key elsewhere',
      { KeyConditionExpression: 'pk = :a', ExclusiveStartKey: key('b', 1), ...values(':a') },
      /outside query boundaries/,
    ],
    [
      'half a start key',
      { KeyConditionExpression: 'pk = :a', ExclusiveStartKey: { pk: S('a') }, ...values(':a') },
      /starting key is invalid/,
    ],
    ['a limit of 0', { KeyConditionExpression: 'pk = :a', Limit: 0, ...values(':a') }, /greater than or equal to 1/],
  ])('%s is refused', async (_name, input, message) => {
    const harness = await filled();
    await expect(harness.call('Query', { TableName: 'items', ...input })).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('strings sort by their UTF-8 bytes, binaries by theirs', async () => {
    const harness = new Harness();
    for (const [name, type, texts] of [
      ['strings', 'S', ['a', 'b', 'B', '', 'é', '\uFFFD', '😀', 'aa']],
      ['binaries', 'B', ['a', 'b', 'B', 'é', '😀', 'aa']],
    ] as const) {
      await harness.call('CreateTable', {
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'h', AttributeType: 'S' },
          { AttributeName: 'r', AttributeType: type },
        ],
        KeySchema: [
          { AttributeName: 'h', KeyType: 'HASH' },
          { AttributeName: 'r', KeyType: 'RANGE' },
        ],
      });
      const wire = texts
        .filter((text) => text !== '')
        .map((text) => (type === 'S' ? text : Buffer.from(text).toString('base64')));
      for (const r of wire) await harness.call('PutItem', { TableName: name, Item: { h: S('h'), r: { [type]: r } } });
      const { Items } = await harness.call('Query', {
        TableName: name,
        KeyConditionExpression: 'h = :h',
        ExpressionAttributeValues: { ':h': S('h') },
      });
      const read = (Items ?? []).map((item) => Object.values(item['r'] ?? {})[0] as string);
      const bytes = (text: string) => Buffer.from(text, type === 'S' ? 'utf8' : 'base64');
      expect(read).toEqual([...wire].sort((left, right) => Buffer.compare(bytes(left), bytes(right))));
      const prefix = type === 'S' ? 'a' : Buffer.from('a').toString('base64');
      const { Count } = await harness.call('Query', {
        TableName: name,
        KeyConditionExpression: 'h = :h AND begins_with(r, :a)',
        ExpressionAttributeValues: { ':h': S('h'), ':a': { [type]: prefix } },
      });
      expect(Count).toBe(2);
    }
  });

  test('legacy KeyConditions, QueryFilter and AttributesToGet', async () => {
    const harness = await filled();
    const output = await harness.call('Query', {
      TableName: 'items',
      KeyConditions: {
        pk: { ComparisonOperator: 'EQ', AttributeValueList: [S('a')] },
        sk: { ComparisonOperator: 'GE', AttributeValueList: [N(2)] },
      },
      QueryFilter: { note: { ComparisonOperator: 'NE', AttributeValueList: [S('n10')] } },
      AttributesToGet: ['sk'],
    });
    expect(output.Items).toEqual([{ sk: N(2) }, { sk: N(100) }]);
  });
});

describe('indexes', () => {
  const owner = {
    ExpressionAttributeNames: { '#o': 'owner' },
    KeyConditionExpression: '#o = :o',
    IndexName: 'byOwner',
  };

  test('hold what has their keys, in the order of theirs', async () => {
    const harness = await filled();
    const query = (text: string, more = {}) =>
      pages(harness, 'Query', { ...owner, ExpressionAttributeValues: { ':o': S(text) }, ...more });
    expect(numbers({ Items: await query('w1') })).toEqual([100, 10, 2]);
    expect(numbers({ Items: await query('w1', { Limit: 1 }) })).toEqual([100, 10, 2]);
    await harness.call('UpdateItem', {
      TableName: 'items',
      Key: key('a', 10),
      UpdateExpression: 'SET #o = :o',
      ExpressionAttributeNames: { '#o': 'owner' },
      ExpressionAttributeValues: { ':o': S('w2') },
    });
    await harness.call('UpdateItem', {
      TableName: 'items',
      Key: key('a', 100),
      UpdateExpression: 'REMOVE #at',
      ExpressionAttributeNames: { '#at': 'at' },
    });
    await harness.call('DeleteItem', { TableName: 'items', Key: key('a', 0) });
    expect(numbers({ Items: await query('w1') })).toEqual([2]);
    expect(numbers({ Items: await query('w2') })).toEqual([10, -1]);
    expect(await pages(harness, 'Scan', { IndexName: 'byOwner' })).toHaveLength(3);
  });

  test('items with equal index keys are told apart, page by page', async () => {
    const harness = await Harness.start();
    for (let sk = 0; sk < 25; sk++) await harness.put({ ...key(`p${sk % 3}`, sk), owner: S('w'), at: N(7) });
    for (const ScanIndexForward of [true, false]) {
      const items = await pages(harness, 'Query', {
        ...owner,
        ExpressionAttributeValues: { ':o': S('w') },
        Limit: 4,
        ScanIndexForward,
      });
      expect(new Set(numbers({ Items: items })).size).toBe(25);
      expect(items).toHaveLength(25);
    }
    expect(await pages(harness, 'Scan', { IndexName: 'byOwner', Limit: 3 })).toHaveLength(25);
  });

  test('show what they project', async () => {
    const harness = await filled();
    expect(await pages(harness, 'Scan', { IndexName: 'byMark' })).toEqual([{ ...key('b', 1), mark: S('m') }]);
    expect(await pages(harness, 'Scan', { IndexName: 'byKind' })).toEqual([
      { ...key('b', 1), kind: S('k'), note: S('x') },
    ]);
  });

  test('are added with what is there, read once ACTIVE, and deleted', async () => {
    const harness = await Harness.start({ statusDelayMs: 5_000 });
    const status = async () =>
      (
        await harness.call<{ Table: { GlobalSecondaryIndexes: { IndexName: string; IndexStatus: string }[] } }>(
          'DescribeTable',
          { TableName: 'items' },
        )
      ).Table.GlobalSecondaryIndexes;
    const update = (change: unknown, attributes: unknown[] = []) =>
      harness.call('UpdateTable', {
        TableName: 'items',
        AttributeDefinitions: attributes,
        GlobalSecondaryIndexUpdates: [change],
      });
    const IndexName = 'byNote';
    const create = {
      Create: {
        IndexName,
        KeySchema: [{ AttributeName: 'note', KeyType: 'HASH' }],
        Projection: { ProjectionType: 'ALL' },
      },
    };
    await expect(update(create)).rejects.toMatchObject({ code: 'ResourceInUseException' });
    harness.clock.advance(5_000);
    await harness.put({ note: S('n') });
    await expect(update(create)).rejects.toThrow(/not defined in AttributeDefinitions/);
    await update(create, [{ AttributeName: 'note', AttributeType: 'S' }]);
    expect((await status()).at(-1)).toMatchObject({ IndexName, IndexStatus: 'CREATING' });
    await expect(pages(harness, 'Scan', { IndexName })).rejects.toThrow(/backfilling/);
    harness.clock.advance(5_000);
    expect((await status()).at(-1)).toMatchObject({ IndexName, IndexStatus: 'ACTIVE', ItemCount: 1 });
    expect(await pages(harness, 'Scan', { IndexName })).toHaveLength(1);
    await expect(update(create)).rejects.toThrow(/already exists/);
    await update({ Delete: { IndexName } });
    harness.clock.advance(5_000);
    expect((await status()).map((index) => index.IndexName)).toEqual(['byOwner', 'byMark', 'byKind']);
    await expect(update({ Delete: { IndexName } })).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
  });
});

describe('Scan', () => {
  test('segments divide the table; pages and filters go through each', async () => {
    const harness = await Harness.start();
    for (let item = 0; item < 200; item++)
      await harness.put({ ...key(`p${item % 67}`, item), note: S(item % 2 === 0 ? 'even' : 'odd') });
    for (const TotalSegments of [1, 3, 8]) {
      const segments = await Promise.all(
        Array.from({ length: TotalSegments }, (_, Segment) =>
          pages(harness, 'Scan', {
            Segment,
            TotalSegments,
            Limit: 7,
            FilterExpression: 'note = :n',
            ExpressionAttributeValues: { ':n': S('even') },
          }),
        ),
      );
      expect(segments.every((segment) => segment.length > 0)).toBe(true);
      expect(numbers({ Items: segments.flat() }).sort((left, right) => left - right)).toEqual(
        Array.from({ length: 100 }, (_, index) => index * 2),
      );
    }
  });

  test('a scan in pages meets every item that stays, whatever is written meanwhile', async () => {
    const change = fc.record({
      kind: fc.constantFrom('put' as const, 'delete' as const),
      pk: fc.integer({ min: 0, max: 9 }),
      sk: fc.integer({ min: 100, max: 109 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (changes, Limit) => {
        const harness = await Harness.start();
        for (let item = 0; item < 20; item++) await harness.put(key(`p${item % 10}`, item));
        const seen: string[] = [];
        for (let ExclusiveStartKey: Item | undefined, turn = 0; ; turn++) {
          const page = await harness.call('Scan', {
            TableName: 'items',
            Limit,
            ...(ExclusiveStartKey && { ExclusiveStartKey }),
          });
          seen.push(...(page.Items ?? []).map(({ pk, sk }) => JSON.stringify([pk, sk])));
          ExclusiveStartKey = page.LastEvaluatedKey;
          if (ExclusiveStartKey === undefined) break;
          const next = changes[turn];
          if (next === undefined) continue;
          const place = key(`p${next.pk}`, next.sk);
          await (next.kind === 'put'
            ? harness.put(place)
            : harness.call('DeleteItem', { TableName: 'items', Key: place }));
        }
        const stays = Array.from({ length: 20 }, (_, item) =>
          JSON.stringify(Object.values(key(`p${item % 10}`, item))),
        );
        expect(seen).toEqual(expect.arrayContaining(stays));
        expect(new Set(seen).size).toBe(seen.length);
      }),
      { numRuns: 60, seed: 20_261_123 },
    );
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ Segment: 0 }, /TotalSegments parameter is required/],
    [{ Segment: 2, TotalSegments: 2 }, /zero-based/],
  ])('%j is refused', async (input, message) => {
    const harness = await filled();
    await expect(harness.call('Scan', { TableName: 'items', ...input })).rejects.toThrow(message);
  });
});

test('capacity counts what was read and written', async () => {
  const harness = await Harness.start();
  const units = (output: Output) => (output['ConsumedCapacity'] as { CapacityUnits: number }).CapacityUnits;
  const asked = { ReturnConsumedCapacity: 'TOTAL' };
  expect(units(await harness.put({ note: S('x'.repeat(2_000)) }, asked))).toBe(2);
  const get = { TableName: 'items', Key: key('p', 1), ...asked };
  expect(units(await harness.call('GetItem', get))).toBe(0.5);
  expect(units(await harness.call('GetItem', { ...get, ConsistentRead: true }))).toBe(1);
});
