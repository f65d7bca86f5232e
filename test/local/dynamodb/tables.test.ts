import { appendFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDbEngine } from '../../../local/services/dynamodb/engine';
import { Harness, key, N, S } from './support';

const ARN = 'arn:aws:dynamodb:us-east-1:000000000000:table/items';
const SIMPLE = {
  TableName: 'simple',
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  BillingMode: 'PAY_PER_REQUEST',
};

describe('tables', () => {
  test('are described', async () => {
    const harness = await Harness.start({ newId: () => 'an-id' });
    await harness.put({ owner: S('w'), at: N(1) });
    const { Table } = await harness.call<{ Table: Record<string, unknown> }>('DescribeTable', { TableName: ARN });
    expect(Table).toMatchObject({
      TableName: 'items',
      TableArn: ARN,
      TableId: 'an-id',
      TableStatus: 'ACTIVE',
      CreationDateTime: harness.clock.now() / 1_000,
      ItemCount: 1,
      TableSizeBytes: 17,
      BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
      DeletionProtectionEnabled: false,
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'byOwner',
          IndexStatus: 'ACTIVE',
          ItemCount: 1,
          IndexArn: `${ARN}/index/byOwner`,
          Projection: { ProjectionType: 'ALL' },
        },
        { IndexName: 'byMark', ItemCount: 0, Projection: { ProjectionType: 'KEYS_ONLY' } },
        { IndexName: 'byKind', Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['note'] } },
      ],
    });
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['a short name', { TableName: 'ab' }, /between 3 and 255 characters/],
    ['no name', { TableName: undefined }, /'tableName' failed to satisfy constraint/],
    [
      'a key that is not defined',
      { KeySchema: [{ AttributeName: 'other', KeyType: 'HASH' }] },
      /not defined in AttributeDefinitions. Keys: \[other\]/,
    ],
    [
      'a range key first',
      { KeySchema: [{ AttributeName: 'id', KeyType: 'RANGE' }] },
      /first KeySchemaElement is not a HASH/,
    ],
    [
      'an attribute without use',
      { AttributeDefinitions: [...SIMPLE.AttributeDefinitions, { AttributeName: 'x', AttributeType: 'N' }] },
      /not used/,
    ],
    ['an unknown type', { AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'BOOL' }] }, /enum value set/],
    ['no capacity', { BillingMode: undefined }, /ReadCapacityUnits and WriteCapacityUnits must both be specified/],
    [
      'capacity on demand',
      { ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } },
      /Neither ReadCapacityUnits/,
    ],
    [
      'an index without projection',
      { GlobalSecondaryIndexes: [{ IndexName: 'index', KeySchema: SIMPLE.KeySchema }] },
      /Unknown ProjectionType/,
    ],
  ])('CreateTable refuses %s', async (_name, change, message) => {
    const harness = new Harness();
    await expect(harness.call('CreateTable', { ...SIMPLE, ...change })).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('exist once, and are listed page by page', async () => {
    const harness = await Harness.start();
    await harness.call('CreateTable', SIMPLE);
    await expect(harness.call('CreateTable', SIMPLE)).rejects.toMatchObject({ code: 'ResourceInUseException' });
    expect(await harness.call('ListTables', { Limit: 1 })).toEqual({
      TableNames: ['items'],
      LastEvaluatedTableName: 'items',
    });
    expect(await harness.call('ListTables', { ExclusiveStartTableName: 'items' })).toEqual({ TableNames: ['simple'] });
  });

  test('deletion protection holds until it is taken off', async () => {
    const harness = new Harness();
    await harness.call('CreateTable', { ...SIMPLE, DeletionProtectionEnabled: true });
    await expect(harness.call('DeleteTable', { TableName: 'simple' })).rejects.toThrow(/protected against deletion/);
    await harness.call('UpdateTable', { TableName: 'simple', DeletionProtectionEnabled: false });
    expect(await harness.call('DeleteTable', { TableName: 'simple' })).toMatchObject({
      TableDescription: { TableStatus: 'DELETING' },
    });
    for (const operation of ['DescribeTable', 'DeleteTable']) {
      await expect(harness.call(operation, { TableName: 'simple' })).rejects.toMatchObject({
        code: 'ResourceNotFoundException',
      });
    }
    await expect(harness.call('Scan', { TableName: 'simple' })).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
      message: 'Requested resource not found',
    });
  });

  test('billing changes', async () => {
    const harness = await Harness.start();
    const throughput = { ReadCapacityUnits: 10, WriteCapacityUnits: 5 };
    await harness.call('UpdateTable', {
      TableName: 'items',
      BillingMode: 'PROVISIONED',
      ProvisionedThroughput: throughput,
    });
    const { Table } = await harness.call<{ Table: unknown }>('DescribeTable', { TableName: 'items' });
    expect(Table).toMatchObject({ ProvisionedThroughput: throughput });
    expect(Table).not.toHaveProperty('BillingModeSummary');
  });

  test('local indexes share the partition key and read consistently', async () => {
    const harness = new Harness();
    const definition = {
      ...SIMPLE,
      AttributeDefinitions: ['id', 'sk', 'alt'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [...SIMPLE.KeySchema, { AttributeName: 'sk', KeyType: 'RANGE' }],
      LocalSecondaryIndexes: [
        {
          IndexName: 'byAlt',
          KeySchema: [...SIMPLE.KeySchema, { AttributeName: 'alt', KeyType: 'RANGE' }],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    };
    await harness.call('CreateTable', definition);
    for (const [sk, alt] of [
      ['1', 'b'],
      ['2', 'a'],
    ])
      await harness.call('PutItem', { TableName: 'simple', Item: { id: S('x'), sk: S(sk ?? ''), alt: S(alt ?? '') } });
    const query = {
      TableName: 'simple',
      IndexName: 'byAlt',
      ConsistentRead: true,
      KeyConditionExpression: 'id = :x',
      ExpressionAttributeValues: { ':x': S('x') },
    };
    expect((await harness.call('Query', query)).Items?.map((item) => item['sk'])).toEqual([S('2'), S('1')]);
  });

  test('time to live, recovery and tags', async () => {
    const harness = await Harness.start();
    const describe = () => harness.call('DescribeTimeToLive', { TableName: 'items' });
    const set = (Enabled: boolean) =>
      harness.call('UpdateTimeToLive', {
        TableName: 'items',
        TimeToLiveSpecification: { Enabled, AttributeName: 'ttl' },
      });
    expect(await describe()).toEqual({ TimeToLiveDescription: { TimeToLiveStatus: 'DISABLED' } });
    await set(true);
    expect(await describe()).toEqual({ TimeToLiveDescription: { TimeToLiveStatus: 'ENABLED', AttributeName: 'ttl' } });
    await expect(set(true)).rejects.toThrow('TimeToLive is already enabled');

    const recovery = { TableName: 'items', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } };
    expect(await harness.call('UpdateContinuousBackups', recovery)).toMatchObject({
      ContinuousBackupsDescription: {
        PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: 'ENABLED', RecoveryPeriodInDays: 35 },
      },
    });
    await expect(harness.call('DescribeContinuousBackups', { TableName: 'nobody' })).rejects.toMatchObject({
      code: 'TableNotFoundException',
    });

    await harness.call('TagResource', {
      ResourceArn: ARN,
      Tags: [
        { Key: 'a', Value: '1' },
        { Key: 'b', Value: '2' },
      ],
    });
    await harness.call('UntagResource', { ResourceArn: ARN, TagKeys: ['a'] });
    expect(await harness.call('ListTagsOfResource', { ResourceArn: ARN })).toEqual({
      Tags: [{ Key: 'b', Value: '2' }],
    });
  });

  test('an operation that DynamoDB does not have', async () => {
    await expect(new Harness().call('toString')).rejects.toMatchObject({ code: 'UnknownOperationException' });
  });
});

describe('on disk', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'dynamodb-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('tables, items, indexes, settings and tokens come back', async () => {
    const harness = await Harness.start({ directory });
    for (let sk = 0; sk < 5; sk++) await harness.put({ ...key('p', sk), owner: S('w'), at: N(sk) });
    await harness.call('DeleteItem', { TableName: 'items', Key: key('p', 3) });
    await harness.call('UpdateTimeToLive', {
      TableName: 'items',
      TimeToLiveSpecification: { Enabled: true, AttributeName: 'ttl' },
    });
    await harness.call('UpdateTimeToLive', {
      TableName: 'items',
      TimeToLiveSpecification: { Enabled: false, AttributeName: 'ttl' },
    });
    await harness.call('CreateTable', SIMPLE);
    await harness.call('DeleteTable', { TableName: 'simple' });
    const add = {
      Update: {
        TableName: 'items',
        Key: key('p', 0),
        UpdateExpression: 'ADD n :v',
        ExpressionAttributeValues: { ':v': N(1) },
      },
    };
    const transaction = { TransactItems: [add], ClientRequestToken: 'token' };
    await harness.call('TransactWriteItems', transaction);
    const described = await harness.call('DescribeTable', { TableName: 'items' });
    const scanned = await harness.call('Scan', { TableName: 'items' });

    harness.restart();
    expect(await harness.call('DescribeTable', { TableName: 'items' })).toEqual(described);
    expect(await harness.call('Scan', { TableName: 'items' })).toEqual(scanned);
    expect((await harness.call('Scan', { TableName: 'items', IndexName: 'byOwner' })).Count).toBe(4);
    expect(await harness.call('DescribeTimeToLive', { TableName: 'items' })).toEqual({
      TimeToLiveDescription: { TimeToLiveStatus: 'DISABLED' },
    });
    expect(await harness.call('ListTables')).toEqual({ TableNames: ['items'] });
    await harness.call('TransactWriteItems', transaction);
    expect((await harness.get('p', 0))?.['n']).toEqual(N(1));
  });

  test('a transaction whose line was torn never happened', async () => {
    const harness = await Harness.start({ directory });
    await harness.put({ n: N(1) });
    appendFileSync(
      join(directory, 'tables.jsonl'),
      `{"writes":[{"table":"items","put":${JSON.stringify(key('p', 2))}},{"table":"items","pu`,
    );
    harness.engine = new DynamoDbEngine({ clock: harness.clock, directory });
    expect((await harness.call('Scan', { TableName: 'items' })).Count).toBe(1);
    await harness.put({ n: N(2) });
    harness.restart();
    expect(await harness.get()).toEqual({ n: N(2) });
  });

  test('a journal of overwritten items is compacted while running', async () => {
    const harness = await Harness.start({ directory });
    for (let round = 0; round < 12; round++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, turn) => harness.put({ n: N(round * 1_000 + turn) })));
    }
    expect(statSync(join(directory, 'tables.jsonl')).size).toBeLessThan(300_000);
    harness.restart();
    expect(await harness.get()).toEqual({ n: N(11_999) });
  });
});
