import fc from 'fast-check';
import { ResponseDropped } from '../../../local/gateway/service';
import type { AwsError } from '../../../local/gateway/service';
import { transactionCanceled } from '../../../local/services/dynamodb/operations-transactions';
import { Harness, key, N, S } from './support';

const put = (sk: number, more: Record<string, unknown> = {}, condition: Record<string, unknown> = {}) => ({
  Put: { TableName: 'items', Item: { ...key('t', sk), ...more }, ...condition },
});
const transact = (harness: Harness, TransactItems: unknown[], more: Record<string, unknown> = {}) =>
  harness.call('TransactWriteItems', { TransactItems, ...more });

describe('TransactWriteItems', () => {
  test('does all of its actions', async () => {
    const harness = await Harness.start();
    for (const sk of [1, 2, 3]) await harness.put({ ...key('t', sk), n: N(1) });
    await transact(harness, [
      put(0, { n: N(0) }, { ConditionExpression: 'attribute_not_exists(pk)' }),
      {
        Update: {
          TableName: 'items',
          Key: key('t', 1),
          UpdateExpression: 'ADD n :v',
          ExpressionAttributeValues: { ':v': N(5) },
        },
      },
      { Delete: { TableName: 'items', Key: key('t', 2) } },
      { ConditionCheck: { TableName: 'items', Key: key('t', 3), ConditionExpression: 'attribute_exists(pk)' } },
    ]);
    expect(await Promise.all([0, 1, 2, 3].map((sk) => harness.get('t', sk)))).toEqual([
      { n: N(0) },
      { n: N(6) },
      undefined,
      { n: N(1) },
    ]);
  });

  test('or none of them, with a reason for each', async () => {
    const harness = await Harness.start();
    await harness.put({ ...key('t', 1), n: S('text') });
    const condition = { ConditionExpression: 'attribute_not_exists(pk)' };
    const failed = (await transact(harness, [
      put(0),
      put(1, {}, { ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
      { ConditionCheck: { TableName: 'items', Key: key('t', 2), ConditionExpression: 'attribute_exists(pk)' } },
    ]).catch((error: unknown) => error)) as AwsError;
    expect(failed).toMatchObject({
      code: 'TransactionCanceledException',
      message:
        'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, ConditionalCheckFailed]',
    });
    const Message = 'The conditional request failed';
    expect(failed.members).toEqual({
      CancellationReasons: [
        { Code: 'None' },
        { Code: 'ConditionalCheckFailed', Message, Item: { ...key('t', 1), n: S('text') } },
        { Code: 'ConditionalCheckFailed', Message },
      ],
    });
    const update = {
      TableName: 'items',
      Key: key('t', 1),
      UpdateExpression: 'ADD n :v',
      ExpressionAttributeValues: { ':v': N(1) },
    };
    await expect(transact(harness, [put(0), { Update: update }])).rejects.toMatchObject({
      members: { CancellationReasons: [{ Code: 'None' }, { Code: 'ValidationError' }] },
    });
    expect(await harness.get('t', 0)).toBeUndefined();
    expect(await harness.get('t', 1)).toEqual({ n: S('text') });
  });

  test.each<[string, unknown[], RegExp]>([
    ['nothing', [], /length greater than or equal to 1/],
    ['101 actions', Array.from({ length: 101 }, (_, sk) => put(sk)), /length less than or equal to 100/],
    [
      'one item twice',
      [
        put(1),
        { ConditionCheck: { TableName: 'items', Key: key('t', 1), ConditionExpression: 'attribute_exists(pk)' } },
      ],
      /multiple operations on one item/,
    ],
    [
      'an action of two kinds',
      [{ ...put(1), Delete: { TableName: 'items', Key: key('t', 2) } }],
      /can only contain one of/,
    ],
    ['a check without a condition', [{ ConditionCheck: { TableName: 'items', Key: key('t', 1) } }], /can not be empty/],
    ['an empty set', [put(1, { s: { SS: [] } })], /may not be empty/],
  ])('%s is refused', async (_name, actions, message) => {
    const harness = await Harness.start();
    await expect(transact(harness, actions)).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('100 actions pass', async () => {
    const harness = await Harness.start();
    await transact(
      harness,
      Array.from({ length: 100 }, (_, sk) => put(sk)),
    );
    expect((await harness.call('Scan', { TableName: 'items' })).Count).toBe(100);
  });

  test('an unknown table', async () => {
    const harness = await Harness.start();
    await expect(transact(harness, [{ Put: { TableName: 'nobody', Item: {} } }])).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
  });

  test('a token makes a repetition harmless for ten minutes', async () => {
    let drop = true;
    const harness = await Harness.start({
      faults: (operation) => (drop && operation === 'TransactWriteItems' ? 'drop-response' : undefined),
    });
    const add = {
      Update: {
        TableName: 'items',
        Key: key('p', 1),
        UpdateExpression: 'ADD n :v',
        ExpressionAttributeValues: { ':v': N(1) },
      },
    };
    const token = { ClientRequestToken: 'token' };
    await expect(transact(harness, [add], token)).rejects.toBeInstanceOf(ResponseDropped);
    drop = false;
    await transact(harness, [add], token);
    expect(await harness.get()).toEqual({ n: N(1) });
    await expect(transact(harness, [add, put(2)], token)).rejects.toMatchObject({
      code: 'IdempotentParameterMismatchException',
    });
    harness.clock.advance(600_001);
    await transact(harness, [add], token);
    expect(await harness.get()).toEqual({ n: N(2) });
  });

  test('a conflict can be injected', async () => {
    const conflict = transactionCanceled([
      { Code: 'TransactionConflict', Message: 'Transaction is ongoing for the item' },
    ]);
    let faults = 1;
    const harness = await Harness.start({
      faults: (operation) => (operation === 'TransactWriteItems' && faults-- > 0 ? conflict : undefined),
    });
    await expect(transact(harness, [put(1)])).rejects.toMatchObject({ code: 'TransactionCanceledException' });
    expect(await harness.get('t', 1)).toBeUndefined();
    await transact(harness, [put(1)]);
    expect(await harness.get('t', 1)).toEqual({});
  });

  test('however they interleave, transfers keep the sum and none is half done', async () => {
    const transfer = fc.record({ from: fc.nat(4), to: fc.nat(4), amount: fc.integer({ min: 1, max: 60 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(transfer, { maxLength: 30 }), async (transfers) => {
        const harness = await Harness.start();
        const balances = [100, 100, 100, 100, 100];
        for (const sk of balances.keys()) await harness.put({ ...key('account', sk), n: N(100) });
        const change = (sk: number, amount: number, more: Record<string, unknown> = {}) => ({
          Update: {
            TableName: 'items',
            Key: key('account', sk),
            UpdateExpression: 'ADD n :v',
            ...more,
            ExpressionAttributeValues: {
              ':v': N(amount),
              ...(more['ConditionExpression'] !== undefined && { ':min': N(-amount) }),
            },
          },
        });
        const results = await Promise.allSettled(
          transfers.map(({ from, to, amount }) =>
            transact(harness, [change(to, amount), change(from, -amount, { ConditionExpression: 'n >= :min' })]),
          ),
        );
        for (const [index, { from, to, amount }] of transfers.entries()) {
          const allowed = from !== to && (balances[from] ?? 0) >= amount;
          expect(results[index]?.status).toBe(allowed ? 'fulfilled' : 'rejected');
          if (!allowed) continue;
          balances[from] = (balances[from] ?? 0) - amount;
          balances[to] = (balances[to] ?? 0) + amount;
        }
        const read = await Promise.all([0, 1, 2, 3, 4].map((sk) => harness.get('account', sk)));
        expect(read).toEqual(balances.map((balance) => ({ n: N(balance) })));
      }),
      { numRuns: 100, seed: 20_261_123 },
    );
  });
});

test('TransactGetItems reads in order, missing ones empty', async () => {
  const harness = await Harness.start();
  await harness.put({ ...key('t', 1), a: N(1), b: N(2) });
  const TransactItems = [
    { Get: { TableName: 'items', Key: key('t', 2) } },
    { Get: { TableName: 'items', Key: key('t', 1), ProjectionExpression: 'b' } },
  ];
  expect(await harness.call('TransactGetItems', { TransactItems })).toEqual({ Responses: [{}, { Item: { b: N(2) } }] });
});

describe('batches', () => {
  test('write and read several items', async () => {
    const harness = await Harness.start();
    await harness.put(key('b', 9));
    const requests = [1, 2, 3].map((sk) => ({ PutRequest: { Item: { ...key('b', sk), n: N(sk) } } }));
    const write = { RequestItems: { items: [...requests, { DeleteRequest: { Key: key('b', 9) } }] } };
    expect(await harness.call('BatchWriteItem', write)).toEqual({ UnprocessedItems: {} });
    const { Responses, UnprocessedKeys } = await harness.call('BatchGetItem', {
      RequestItems: { items: { Keys: [1, 3, 9].map((sk) => key('b', sk)), ProjectionExpression: 'n' } },
    });
    expect({ Responses, UnprocessedKeys }).toEqual({
      Responses: { items: [{ n: N(1) }, { n: N(3) }] },
      UnprocessedKeys: {},
    });
  });

  test('a read of more than 16 MiB leaves keys unprocessed', async () => {
    const harness = await Harness.start();
    for (let sk = 0; sk < 50; sk++) await harness.put({ ...key('b', sk), s: S('x'.repeat(390_000)) });
    let RequestItems: Record<string, unknown> = {
      items: { Keys: Array.from({ length: 50 }, (_, sk) => key('b', sk)) },
    };
    const sizes: number[] = [];
    for (; Object.keys(RequestItems).length > 0;) {
      const output = await harness.call<{ Responses: { items: unknown[] }; UnprocessedKeys: Record<string, unknown> }>(
        'BatchGetItem',
        { RequestItems },
      );
      sizes.push(output.Responses.items.length);
      RequestItems = output.UnprocessedKeys;
    }
    expect(sizes).toEqual([43, 7]);
  });

  test.each<[string, string, unknown, RegExp]>([
    [
      'BatchWriteItem',
      '26 writes',
      { items: Array.from({ length: 26 }, (_, sk) => ({ PutRequest: { Item: key('b', sk) } })) },
      /Too many items/,
    ],
    [
      'BatchWriteItem',
      'one key twice',
      { items: [{ PutRequest: { Item: key('b', 1) } }, { DeleteRequest: { Key: key('b', 1) } }] },
      /contains duplicates/,
    ],
    [
      'BatchGetItem',
      '101 keys',
      { items: { Keys: Array.from({ length: 101 }, (_, sk) => key('b', sk)) } },
      /Too many items/,
    ],
    ['BatchGetItem', 'one key twice', { items: { Keys: [key('b', 1), key('b', 1)] } }, /contains duplicates/],
    ['BatchGetItem', 'nothing', {}, /length greater than or equal to 1/],
  ])('%s of %s is refused', async (operation, _name, RequestItems, message) => {
    const harness = await Harness.start();
    await expect(harness.call(operation, { RequestItems })).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });
});
