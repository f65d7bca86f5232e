import fc from 'fast-check';
import { Harness, key, L, M, N, S } from './support';

const ITEM = {
  text: S('hello'),
  number: N(5),
  bytes: { B: Buffer.from('hello').toString('base64') },
  flag: { BOOL: true },
  nothing: { NULL: true },
  list: L(N(1), S('two'), L(N(3))),
  doc: M({ a: M({ b: N(7) }), 'dotted.name': S('x') }),
  texts: { SS: ['a', 'b'] },
  numbers: { NS: ['1', '2'] },
};

const VALUES: Record<string, unknown> = {
  ':hello': S('hello'),
  ':he': S('he'),
  ':five': N('5.0'),
  ':four': N(4),
  ':six': N(6),
  ':bytes': { B: Buffer.from('hell').toString('base64') },
  ':true': { BOOL: true },
  ':null': { NULL: true },
  ':two': S('two'),
  ':a': S('a'),
  ':one': N(1),
  ':S': S('S'),
  ':SS': S('SS'),
  ':reordered': { SS: ['b', 'a'] },
  ':three': N(3),
};

async function holds(expression: string, names: Record<string, string> = {}): Promise<boolean> {
  const harness = await Harness.start();
  await harness.put(ITEM);
  const used = Object.fromEntries(Object.entries(VALUES).filter(([name]) => new RegExp(`${name}\\b`).test(expression)));
  try {
    await harness.call('DeleteItem', {
      TableName: 'items',
      Key: key('p', 1),
      ConditionExpression: expression,
      ...(Object.keys(used).length > 0 && { ExpressionAttributeValues: used }),
      ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
    });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'ConditionalCheckFailedException') return false;
    throw error;
  }
}

test.each<[string, boolean]>([
  ['attribute_exists(pk)', true],
  ['attribute_exists(missing)', false],
  ['attribute_not_exists(missing)', true],
  ['attribute_exists(doc.a.b)', true],
  ['attribute_exists(doc.a.c)', false],
  ['attribute_exists(list[2][0])', true],
  ['attribute_exists(list[3])', false],
  ['attribute_exists(#text.a)', false],
  ['#text = :hello', true],
  ['number = :five', true],
  ['number <> :five', false],
  ['number <> :hello', true],
  ['missing = :five', false],
  ['missing <> :five', true],
  ['missing < :five', false],
  ['number < :six', true],
  ['number <= :five', true],
  ['number > :five', false],
  ['number >= :five', true],
  [':four < number', true],
  ['number < :hello', false],
  ['#text > :he', true],
  ['bytes > :bytes', true],
  ['flag = :true', true],
  ['nothing = :null', true],
  ['texts = :reordered', true],
  ['number BETWEEN :four AND :six', true],
  ['number BETWEEN :six AND :six', false],
  ['missing BETWEEN :four AND :six', false],
  ['number IN (:four, :five)', true],
  ['number IN (:four, :six)', false],
  ['begins_with(#text, :he)', true],
  ['begins_with(bytes, :bytes)', true],
  ['begins_with(missing, :he)', false],
  ['contains(#text, :he)', true],
  ['contains(texts, :a)', true],
  ['contains(texts, :two)', false],
  ['contains(numbers, :one)', true],
  ['contains(list, :two)', true],
  ['contains(list, :three)', false],
  ['contains(missing, :two)', false],
  ['attribute_type(#text, :S)', true],
  ['attribute_type(texts, :SS)', true],
  ['attribute_type(number, :S)', false],
  ['size(#text) = :five', true],
  ['size(list) = :three', true],
  ['size(number) = :three', false],
  ['size(bytes) > size(list)', true],
  ['NOT number = :five', false],
  ['number = :four OR number = :five AND #text = :hello', true],
  ['(number = :five OR number = :four) AND #text = :he', false],
  ['not (number = :four) and attribute_exists(flag)', true],
  ['doc.#dotted = :a', false],
  ['attribute_exists(doc.#dotted)', true],
])('%s is %s', async (expression, expected) => {
  const all: Record<string, string> = { '#text': 'text', '#dotted': 'dotted.name' };
  const names = Object.fromEntries(Object.entries(all).filter(([name]) => expression.includes(name)));
  // Those that are reserved words get a placeholder, as a user must.
  let text = expression;
  for (const word of ['number', 'list', 'missing']) {
    if (!new RegExp(`\\b${word}\\b`).test(text)) continue;
    text = text.replaceAll(new RegExp(`\\b${word}\\b`, 'g'), `#${word}`);
    names[`#${word}`] = word;
  }
  expect(await holds(text, names)).toBe(expected);
});

test.each<[string, Record<string, unknown>, RegExp]>([
  [
    'a reserved word',
    { ConditionExpression: 'status = :v', ExpressionAttributeValues: { ':v': N(1) } },
    /reserved keyword; reserved keyword: status/,
  ],
  ['a reserved word inside a path', { ConditionExpression: 'attribute_exists(a.name)' }, /reserved keyword: name/],
  ['an undefined value', { ConditionExpression: 'a = :v' }, /attribute value: :v/],
  ['an undefined name', { ConditionExpression: 'attribute_exists(#a)' }, /attribute name: #a/],
  [
    'an unused value',
    { ConditionExpression: 'attribute_exists(a)', ExpressionAttributeValues: { ':v': N(1) } },
    /ExpressionAttributeValues unused in expressions: keys: \{:v\}/,
  ],
  [
    'an unused name',
    { ConditionExpression: 'attribute_exists(a)', ExpressionAttributeNames: { '#a': 'b' } },
    /ExpressionAttributeNames unused in expressions: keys: \{#a\}/,
  ],
  [
    'values without an expression',
    { ExpressionAttributeValues: { ':v': N(1) } },
    /can only be specified when using expressions/,
  ],
  [
    'no values',
    { ConditionExpression: 'attribute_exists(a)', ExpressionAttributeValues: {} },
    /ExpressionAttributeValues must not be empty/,
  ],
  ['an empty expression', { ConditionExpression: ' ' }, /The expression can not be empty/],
  ['a missing operand', { ConditionExpression: 'a =' }, /Syntax error; token: "<EOF>"/],
  ['a missing bracket', { ConditionExpression: '(attribute_exists(a)' }, /Syntax error/],
  [
    'two expressions',
    { ConditionExpression: 'attribute_exists(a) attribute_exists(b)' },
    /Syntax error; token: "attribute_exists"/,
  ],
  ['a strange character', { ConditionExpression: 'a ! b' }, /Syntax error; token: "!"/],
  ['an unknown function', { ConditionExpression: 'exists(a)' }, /Invalid function name; function: exists/],
  ['an update function', { ConditionExpression: 'if_not_exists(a, b)' }, /not allowed in a condition expression/],
  ['too few arguments', { ConditionExpression: 'contains(a)' }, /Incorrect number of operands/],
  [
    'a value where a path must be',
    { ConditionExpression: 'attribute_exists(:v)', ExpressionAttributeValues: { ':v': N(1) } },
    /requires a document path/,
  ],
  [
    'an order of booleans',
    { ConditionExpression: 'a < :v', ExpressionAttributeValues: { ':v': { BOOL: true } } },
    /Incorrect operand type.*operand type: BOOL/,
  ],
  [
    'begins_with of a number',
    { ConditionExpression: 'begins_with(a, :v)', ExpressionAttributeValues: { ':v': N(1) } },
    /Incorrect operand type/,
  ],
  [
    'an empty range',
    { ConditionExpression: 'a BETWEEN :v AND :w', ExpressionAttributeValues: { ':v': N(2), ':w': N(1) } },
    /upper bound to be greater/,
  ],
  [
    'an unknown type',
    { ConditionExpression: 'attribute_type(a, :v)', ExpressionAttributeValues: { ':v': S('X') } },
    /Invalid attribute type name/,
  ],
  [
    'an invalid value',
    { ConditionExpression: 'a = :v', ExpressionAttributeValues: { ':v': N('x') } },
    /ExpressionAttributeValues contains invalid value/,
  ],
  [
    'an expression above 4 KiB',
    { ConditionExpression: `attribute_exists(${'a'.repeat(4_100)})` },
    /exceeded the maximum allowed size/,
  ],
  [
    'both kinds',
    { ConditionExpression: 'attribute_exists(a)', Expected: { a: { Exists: false } } },
    /Can not use both expression and non-expression/,
  ],
])('%s is refused', async (_name, input, message) => {
  const harness = await Harness.start();
  const call = harness.call('DeleteItem', { TableName: 'items', Key: key('p', 1), ...input });
  await expect(call).rejects.toMatchObject({
    code: 'ValidationException',
    message: expect.stringMatching(message) as string,
  });
});

test('random conditions agree with a reference that evaluates as it builds', async () => {
  const item: Record<string, number | undefined> = { a: 1, b: 2, c: 3, d: undefined };
  interface Sample {
    readonly text: string;
    readonly value: boolean;
  }
  const attribute = fc.constantFrom('a', 'b', 'c', 'd');
  const comparison: fc.Arbitrary<Sample> = fc
    .tuple(attribute, fc.constantFrom('=', '<>', '<', '<=', '>', '>='), fc.integer({ min: 0, max: 4 }))
    .map(([name, comparator, value]) => {
      const left = item[name];
      const by: Record<string, boolean> = {
        '=': left === value,
        '<>': left !== value,
        '<': left !== undefined && left < value,
        '<=': left !== undefined && left <= value,
        '>': left !== undefined && left > value,
        '>=': left !== undefined && left >= value,
      };
      return { text: `${name} ${comparator} :v${value}`, value: by[comparator] === true };
    });
  const { condition } = fc.letrec<{ condition: Sample }>((tie) => ({
    condition: fc.oneof(
      { depthSize: 'medium' },
      comparison,
      attribute.map((name) => ({ text: `attribute_exists(${name})`, value: item[name] !== undefined })),
      tie('condition').map((inner) => ({ text: `NOT (${inner.text})`, value: !inner.value })),
      // Without brackets: AND binds stronger than OR, NOT stronger than both.
      fc
        .tuple(tie('condition'), tie('condition'))
        .map(([left, right]) => ({ text: `(${left.text}) AND (${right.text})`, value: left.value && right.value })),
      fc.tuple(comparison, comparison, comparison).map(([one, two, three]) => ({
        text: `${one.text} OR ${two.text} AND NOT ${three.text}`,
        value: one.value || (two.value && !three.value),
      })),
    ),
  }));
  const harness = await Harness.start();
  await harness.put({ a: N(1), b: N(2), c: N(3) });
  await fc.assert(
    fc.asyncProperty(condition, async ({ text, value }) => {
      const used = [0, 1, 2, 3, 4].filter((number) => text.includes(`:v${number}`));
      const values = Object.fromEntries(used.map((number) => [`:v${number}`, N(number)]));
      const { Count } = await harness.call('Scan', {
        TableName: 'items',
        FilterExpression: text,
        ...(used.length > 0 && { ExpressionAttributeValues: values }),
      });
      expect(Count).toBe(value ? 1 : 0);
    }),
    { numRuns: 500, seed: 20_261_123 },
  );
});

describe('legacy parameters', () => {
  test.each<[Record<string, unknown>, boolean]>([
    [{ number: { Value: N(5) } }, true],
    [{ number: { Value: N(6) } }, false],
    [{ number: { Value: N(5), Exists: true } }, true],
    [{ missing: { Exists: false } }, true],
    [{ number: { Exists: false } }, false],
    [{ number: { ComparisonOperator: 'GT', AttributeValueList: [N(4)] } }, true],
    [{ number: { ComparisonOperator: 'BETWEEN', AttributeValueList: [N(6), N(7)] } }, false],
    [{ number: { ComparisonOperator: 'IN', AttributeValueList: [N(4), N(5)] } }, true],
    [{ text: { ComparisonOperator: 'BEGINS_WITH', AttributeValueList: [S('he')] } }, true],
    [{ texts: { ComparisonOperator: 'NOT_CONTAINS', AttributeValueList: [S('a')] } }, false],
    [{ missing: { ComparisonOperator: 'NULL' } }, true],
    [{ number: { ComparisonOperator: 'NOT_NULL' }, text: { Value: S('no') } }, false],
  ])('Expected %j: %s', async (Expected, expected) => {
    const harness = await Harness.start();
    await harness.put(ITEM);
    const write = harness.put({ ...ITEM, changed: N(1) }, { Expected });
    if (expected) await write;
    else await expect(write).rejects.toMatchObject({ code: 'ConditionalCheckFailedException' });
    expect('changed' in ((await harness.get()) ?? {})).toBe(expected);
  });

  test('ConditionalOperator OR', async () => {
    const harness = await Harness.start();
    await harness.put(ITEM);
    const Expected = { number: { Value: N(6) }, text: { Value: S('hello') } };
    await expect(harness.put({}, { Expected })).rejects.toMatchObject({ code: 'ConditionalCheckFailedException' });
    await harness.put({}, { Expected, ConditionalOperator: 'OR' });
  });

  test("a lease's renewal as the Java KCL sends it", async () => {
    const harness = await Harness.start();
    const lease = { leaseOwner: S('w1'), leaseCounter: N(7), checkpointOwner: S('w0') };
    await harness.put(lease);
    const renew = (counter: number) =>
      harness.call('UpdateItem', {
        TableName: 'items',
        Key: key('p', 1),
        Expected: { leaseCounter: { Value: N(counter) }, leaseOwner: { Value: S('w1') } },
        AttributeUpdates: {
          leaseCounter: { Value: N(1), Action: 'ADD' },
          throughputKBps: { Value: N('1.250000'), Action: 'PUT' },
          checkpointOwner: { Action: 'DELETE' },
        },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
    await renew(7);
    const renewed = { leaseOwner: S('w1'), leaseCounter: N(8), throughputKBps: N('1.25') };
    expect(await harness.get()).toEqual(renewed);
    await expect(renew(7)).rejects.toMatchObject({
      code: 'ConditionalCheckFailedException',
      members: { Item: { ...key('p', 1), ...renewed } },
    });
  });
});
