import fc from 'fast-check';
import { Harness, key, L, M, N, S } from './support';

const BEFORE = {
  n: N(5),
  l: L(N(1), N(2), N(3)),
  m: M({ a: N(1), b: M({ c: S('x') }) }),
  ss: { SS: ['a', 'b'] },
  s: S('text'),
};

test.each<[string, Record<string, unknown> | undefined, Record<string, unknown>]>([
  ['SET n = :v', { ':v': S('new') }, { n: S('new') }],
  ['SET n = n + :v', { ':v': N(2) }, { n: N(7) }],
  ['SET n = :v - n', { ':v': N(2) }, { n: N(-3) }],
  ['SET n = if_not_exists(n, :v) + :v', { ':v': N(1) }, { n: N(6) }],
  ['SET x = if_not_exists(x, :v) + :v', { ':v': N(1) }, { x: N(2) }],
  ['SET x = n, n = :v', { ':v': N(0) }, { x: N(5), n: N(0) }],
  ['SET l = list_append(l, :v)', { ':v': L(N(4)) }, { l: L(N(1), N(2), N(3), N(4)) }],
  ['SET l = list_append(:v, l)', { ':v': L(N(0)) }, { l: L(N(0), N(1), N(2), N(3)) }],
  ['SET x = list_append(if_not_exists(x, :empty), :v)', { ':v': L(N(4)), ':empty': L() }, { x: L(N(4)) }],
  ['SET l[1] = :v', { ':v': N(9) }, { l: L(N(1), N(9), N(3)) }],
  ['SET l[8] = :v, l[7] = :w', { ':v': N(9), ':w': N(8) }, { l: L(N(1), N(2), N(3), N(8), N(9)) }],
  ['SET l[0] = :v REMOVE l[1]', { ':v': N(9) }, { l: L(N(9), N(3)) }],
  ['REMOVE l[0], l[2]', undefined, { l: L(N(2)) }],
  ['REMOVE l[7], x', undefined, {}],
  ['SET m.a = :v, m.b.d = :v', { ':v': N(2) }, { m: M({ a: N(2), b: M({ c: S('x'), d: N(2) }) }) }],
  ['REMOVE m.b.c', undefined, { m: M({ a: N(1), b: M({}) }) }],
  ['ADD n :v', { ':v': N('-0.5') }, { n: N('4.5') }],
  ['ADD x :v', { ':v': N(3) }, { x: N(3) }],
  ['ADD ss :v', { ':v': { SS: ['b', 'c'] } }, { ss: { SS: ['a', 'b', 'c'] } }],
  ['ADD x :v', { ':v': { NS: ['1'] } }, { x: { NS: ['1'] } }],
  ['DELETE ss :v', { ':v': { SS: ['b', 'z'] } }, { ss: { SS: ['a'] } }],
  ['DELETE x :v', { ':v': { SS: ['b'] } }, {}],
  [
    'set n = :v remove s add ss :a delete x :a',
    { ':v': N(1), ':a': { SS: ['q'] } },
    { n: N(1), s: undefined, ss: { SS: ['a', 'b', 'q'] } },
  ],
])('%s', async (expression, values, changes) => {
  const harness = await Harness.start();
  await harness.put(BEFORE);
  await harness.update(expression, values);
  const expected = Object.fromEntries(
    Object.entries({ ...BEFORE, ...changes }).filter(([, value]) => value !== undefined),
  );
  expect(await harness.get()).toEqual(expected);
});

test('a set that loses its last member is gone', async () => {
  const harness = await Harness.start();
  await harness.put(BEFORE);
  await harness.update('DELETE ss :v', { ':v': { SS: ['a', 'b'] } });
  expect(await harness.get()).not.toHaveProperty('ss');
});

test.each<[string, Record<string, unknown> | undefined, RegExp]>([
  ['SET x = y', undefined, /refers to an attribute that does not exist/],
  ['SET n = n + s', undefined, /incorrect data type/],
  ['SET n = list_append(n, :v)', { ':v': L() }, /incorrect data type/],
  ['SET x.y = :v', { ':v': N(1) }, /document path provided in the update expression is invalid/],
  ['SET s[0] = :v', { ':v': N(1) }, /document path provided in the update expression is invalid/],
  ['REMOVE x.y', undefined, /document path provided in the update expression is invalid/],
  ['ADD s :v', { ':v': N(1) }, /incorrect data type/],
  ['ADD n :v', { ':v': S('1') }, /Incorrect operand type.*ADD, operand type: STRING/],
  ['DELETE ss :v', { ':v': N(1) }, /Incorrect operand type.*DELETE, operand type: NUMBER/],
  ['SET pk = :v', { ':v': S('x') }, /Cannot update attribute pk. This attribute is part of the key/],
  ['REMOVE sk', undefined, /Cannot update attribute sk/],
  ['SET n = :v, n = :v', { ':v': N(1) }, /paths overlap.*path one: \[n\], path two: \[n\]/],
  ['SET m.b = :v REMOVE m.b.c', { ':v': N(1) }, /paths overlap/],
  ['SET m.a = :v REMOVE m[0]', { ':v': N(1) }, /paths conflict/],
  ['SET n = :v SET s = :v', { ':v': N(1) }, /"SET" section can only be used once/],
  ['SET n :v', { ':v': N(1) }, /Syntax error/],
  ['CHANGE n = :v', { ':v': N(1) }, /Syntax error; token: "CHANGE"/],
  ['SET n = size(s)', undefined, /function is not allowed in an update expression/],
  ['SET owner = :v', { ':v': S('w') }, /reserved keyword: owner/],
  ['SET mark = :v', { ':v': N(1) }, /Type mismatch for Index Key mark Expected: S Actual: N IndexName: byMark/],
  ['SET mark = :v', { ':v': S('') }, /secondary index key.*IndexKey: mark/],
])('%s is refused and changes nothing', async (expression, values, message) => {
  const harness = await Harness.start();
  await harness.put(BEFORE);
  await expect(harness.update(expression, values)).rejects.toMatchObject({
    code: 'ValidationException',
    message: expect.stringMatching(message) as string,
  });
  expect(await harness.get()).toEqual(BEFORE);
});

describe('an item that is not there', () => {
  test.each<[string, Record<string, unknown> | undefined, Record<string, unknown> | undefined]>([
    ['SET a = :v', { ':v': N(1) }, { a: N(1) }],
    ['ADD a :v', { ':v': N(1) }, { a: N(1) }],
    ['REMOVE a', undefined, undefined],
    ['DELETE a :v', { ':v': { SS: ['x'] } }, undefined],
  ])('%s', async (expression, values, expected) => {
    const harness = await Harness.start();
    await harness.update(expression, values);
    expect(await harness.get()).toEqual(expected);
  });

  test('an update without an expression creates it', async () => {
    const harness = await Harness.start();
    await harness.call('UpdateItem', { TableName: 'items', Key: key('p', 1) });
    expect(await harness.get()).toEqual({});
  });
});

test.each<[string, Record<string, unknown> | undefined]>([
  ['NONE', undefined],
  ['ALL_OLD', { ...key('p', 1), a: N(1), b: M({ c: N(1), d: N(1) }) }],
  ['UPDATED_OLD', { a: N(1), b: M({ c: N(1) }) }],
  ['ALL_NEW', { ...key('p', 1), a: N(2), b: M({ c: N(2), d: N(1) }), e: N(2) }],
  ['UPDATED_NEW', { a: N(2), b: M({ c: N(2) }), e: N(2) }],
])('UpdateItem returns %s', async (ReturnValues, expected) => {
  const harness = await Harness.start();
  await harness.put({ a: N(1), b: M({ c: N(1), d: N(1) }) });
  const { Attributes } = await harness.update('SET a = :v, b.c = :v, e = :v', { ':v': N(2) }, { ReturnValues });
  expect(Attributes).toEqual(expected);
});

test('PutItem and DeleteItem return the old item or nothing', async () => {
  const harness = await Harness.start();
  expect(await harness.put({ a: N(1) }, { ReturnValues: 'ALL_OLD' })).not.toHaveProperty('Attributes');
  expect((await harness.put({ a: N(2) }, { ReturnValues: 'ALL_OLD' })).Attributes).toEqual({ ...key('p', 1), a: N(1) });
  const remove = { TableName: 'items', Key: key('p', 1), ReturnValues: 'ALL_OLD' };
  expect((await harness.call('DeleteItem', remove)).Attributes).toEqual({ ...key('p', 1), a: N(2) });
  expect(await harness.call('DeleteItem', remove)).not.toHaveProperty('Attributes');
  await expect(harness.put({}, { ReturnValues: 'ALL_NEW' })).rejects.toMatchObject({ code: 'ValidationException' });
});

test('a failed condition returns the item only where asked', async () => {
  const harness = await Harness.start();
  await harness.put({ a: N(1) });
  const condition = { ConditionExpression: 'attribute_not_exists(pk)' };
  await expect(harness.put({}, condition)).rejects.toMatchObject({
    code: 'ConditionalCheckFailedException',
    members: {},
  });
  await expect(harness.put({}, { ...condition, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })).rejects.toMatchObject(
    {
      members: { Item: { ...key('p', 1), a: N(1) } },
    },
  );
});

describe('numbers', () => {
  test.each([
    ['9007199254740993', '1', '9007199254740994'],
    ['99999999999999999999999999999999999999', '-1', '99999999999999999999999999999999999998'],
    ['0.1', '0.2', '0.3'],
    ['1e3', '0', '1000'],
    ['-0', '0', '0'],
    ['007.500', '-7.5', '0'],
    ['1e125', '1e125', `2${'0'.repeat(125)}`],
    ['1e-130', '0', `0.${'0'.repeat(129)}1`],
    ['12345678901234567890.123', '0.0000000001', '12345678901234567890.1230000001'],
  ])('%s + %s = %s', async (left, right, sum) => {
    const harness = await Harness.start();
    await harness.put({ n: { N: left } });
    await harness.update('ADD n :v', { ':v': { N: right } });
    expect((await harness.get())?.['n']).toEqual({ N: sum });
  });

  test.each([
    '',
    'x',
    '1.2.3',
    'NaN',
    'Infinity',
    '1e126',
    '1e-131',
    '123456789012345678901234567890123456789',
    '0x10',
  ])('%j is no number', async (text) => {
    const harness = await Harness.start();
    await expect(harness.put({ n: { N: text } })).rejects.toMatchObject({ code: 'ValidationException' });
  });

  test('sums agree with BigInt, and order with sums', async () => {
    const harness = await Harness.start();
    const integer = fc.bigInt(-(10n ** 37n), 10n ** 37n);
    await fc.assert(
      fc.asyncProperty(integer, integer, async (left, right) => {
        await harness.put({ n: N(String(left)), m: N(String(right)) });
        await harness.update('SET s = n + m, d = n - m');
        const item = await harness.get();
        expect([item?.['s'], item?.['d']]).toEqual([N(String(left + right)), N(String(left - right))]);
        const { Count } = await harness.call('Scan', { TableName: 'items', FilterExpression: 'n < m' });
        expect(Count).toBe(left < right ? 1 : 0);
      }),
      { numRuns: 200, seed: 20_261_123 },
    );
  });
});

describe('items', () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['an empty set', { s: { SS: [] } }, /may not be empty/],
    ['a set with a member twice', { s: { NS: ['1', '1.0'] } }, /contains duplicates/],
    ['a value of two types', { s: { S: 'a', N: '1' } }, /more than one datatypes/],
    ['a value of no type', { s: {} }, /must contain exactly one of the supported datatypes/],
    ['an empty key', { pk: S('') }, /cannot contain an empty string value. Key: pk/],
    ['a key of another type', { sk: S('1') }, /Type mismatch for key sk expected: N actual: S/],
    ['a hash key above 2,048 bytes', { pk: S('x'.repeat(2_049)) }, /maximum size limit of 2048 bytes/],
    ['an index key of another type', { owner: N(1) }, /Type mismatch for Index Key owner/],
    ['more than 400 KB', { s: S('x'.repeat(400 * 1_024)) }, /Item size has exceeded the maximum allowed size/],
    ['33 levels', { s: Array.from({ length: 33 }).reduce<unknown>((inner) => L(inner), N(1)) }, /Nesting Levels/],
  ])('%s is refused', async (_name, item, message) => {
    const harness = await Harness.start();
    await expect(harness.put(item)).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('400 KB with names is the most; an update cannot pass it either', async () => {
    const harness = await Harness.start();
    // pk: 2 + 1 bytes, sk: 2 + 2, s: 1 + the rest.
    await harness.put({ s: S('x'.repeat(400 * 1_024 - 8)) });
    await expect(harness.update('SET t = :v', { ':v': N(1) })).rejects.toThrow(/Item size to update has exceeded/);
  });

  test.each<[string, Record<string, unknown>]>([
    ['a missing part', { pk: S('p') }],
    ['one too many', { ...key('p', 1), x: N(1) }],
    ['another type', { pk: S('p'), sk: S('1') }],
  ])('a key with %s does not match the schema', async (_name, Key) => {
    const harness = await Harness.start();
    await expect(harness.call('GetItem', { TableName: 'items', Key })).rejects.toThrow(
      'The provided key element does not match the schema',
    );
  });

  test('equal numbers are one key', async () => {
    const harness = await Harness.start();
    await harness.put({ a: N(1) });
    const { Item } = await harness.call('GetItem', { TableName: 'items', Key: { pk: S('p'), sk: N('1.00') } });
    expect(Item).toEqual({ ...key('p', 1), a: N(1) });
  });

  test('projections keep the nesting and close up lists', async () => {
    const harness = await Harness.start();
    await harness.put(BEFORE);
    const get = async (ProjectionExpression: string) =>
      (await harness.call('GetItem', { TableName: 'items', Key: key('p', 1), ProjectionExpression })).Item;
    expect(await get('pk, m.b.c, l[2], l[0], x.y')).toEqual({
      pk: S('p'),
      m: M({ b: M({ c: S('x') }) }),
      l: L(N(1), N(3)),
    });
    await expect(get('m, m.a')).rejects.toThrow(/paths overlap/);
  });

  test('a changed input or a member named __proto__ is no trap', async () => {
    const harness = await Harness.start();
    const map = JSON.parse('{"__proto__": {"S": "x"}}') as Record<string, unknown>;
    const item = { m: M(map) };
    await harness.put(item);
    item.m.M['later'] = N(1);
    await harness.update('SET m.a = :v', { ':v': N(1) });
    expect(JSON.stringify((await harness.get())?.['m'])).toBe('{"M":{"__proto__":{"S":"x"},"a":{"N":"1"}}}');
  });
});

test('of many conditional writes at once exactly one wins, and a counter counts its winners', async () => {
  const harness = await Harness.start();
  for (let round = 0; round < 10; round++) {
    const puts = Array.from({ length: 32 }, (_, writer) =>
      harness.call('PutItem', {
        TableName: 'items',
        Item: { ...key('race', round), w: N(writer) },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    );
    expect((await Promise.allSettled(puts)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  }
  await harness.put({ n: N(0) });
  let wins = 0;
  const worker = async () => {
    for (let turn = 0; turn < 20; turn++) {
      const seen = (await harness.get())?.['n'];
      await harness
        .update('SET n = n + :one', { ':one': N(1), ':seen': seen }, { ConditionExpression: 'n = :seen' })
        .then(
          () => wins++,
          () => undefined,
        );
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  expect(await harness.get()).toEqual({ n: N(wins) });
  expect(wins).toBeGreaterThanOrEqual(20);
});
