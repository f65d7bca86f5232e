/** The real client drives the engine: the shapes on the wire are those of the service's model. */
import * as dynamodb from '@aws-sdk/client-dynamodb';
import { DynamoDbEngine } from '../../../local/services/dynamodb/engine';
import { serve } from '../support/http';
import type { TestServer } from '../support/http';
import { ManualClock } from '../support/manual-clock';

let server: TestServer;
let client: dynamodb.DynamoDBClient;
beforeAll(async () => {
  server = await serve(new DynamoDbEngine({ clock: new ManualClock() }));
  client = new dynamodb.DynamoDBClient(server.client);
});
afterAll(async () => {
  client.destroy();
  await server.close();
});

const TableName = 'wire';

test('from creation over items of every type to the errors of a transaction', async () => {
  await client.send(
    new dynamodb.CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'B' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
  await dynamodb.waitUntilTableExists({ client, maxWaitTime: 25 }, { TableName });
  const { Table } = await client.send(new dynamodb.DescribeTableCommand({ TableName }));
  expect(Table?.CreationDateTime).toEqual(new Date(Date.UTC(2026, 0, 1)));

  const pk = { B: Uint8Array.of(0, 255) };
  const Item: Record<string, dynamodb.AttributeValue> = {
    pk,
    s: { S: 'ü😀' },
    n: { N: '-1.5' },
    t: { BOOL: false },
    z: { NULL: true },
    m: { M: { l: { L: [{ B: Uint8Array.of(1) }] } } },
    bs: { BS: [Uint8Array.of(1), Uint8Array.of(2)] },
    ss: { SS: ['a'] },
    ns: { NS: ['1', '2'] },
  };
  await client.send(new dynamodb.PutItemCommand({ TableName, Item }));
  const plain = (item: unknown): unknown => JSON.parse(JSON.stringify(item)) as unknown;
  const read = await client.send(new dynamodb.GetItemCommand({ TableName, Key: { pk } }));
  expect(plain(read.Item)).toEqual(plain(Item));

  const condition = {
    ConditionExpression: 'attribute_not_exists(pk)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  } as const;
  const failed = await client
    .send(new dynamodb.PutItemCommand({ TableName, Item: { pk }, ...condition }))
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(dynamodb.ConditionalCheckFailedException);
  expect(plain((failed as dynamodb.ConditionalCheckFailedException).Item)).toEqual(plain(Item));

  const cancelled = await client
    .send(
      new dynamodb.TransactWriteItemsCommand({
        TransactItems: [
          { Put: { TableName, Item: { pk }, ...condition } },
          { Delete: { TableName, Key: { pk: { B: Uint8Array.of(1) } } } },
        ],
      }),
    )
    .catch((error: unknown) => error);
  expect(cancelled).toBeInstanceOf(dynamodb.TransactionCanceledException);
  const reasons = (cancelled as dynamodb.TransactionCanceledException).CancellationReasons;
  expect(reasons?.map(({ Code }) => Code)).toEqual(['ConditionalCheckFailed', 'None']);
  expect(plain(reasons?.[0]?.Item)).toEqual(plain(Item));

  const page = await client.send(new dynamodb.ScanCommand({ TableName, Limit: 1, ReturnConsumedCapacity: 'TOTAL' }));
  expect(page).toMatchObject({ Count: 1, ScannedCount: 1, ConsumedCapacity: { TableName, CapacityUnits: 0.5 } });
  expect(plain(page.LastEvaluatedKey)).toEqual(plain({ pk }));
  await expect(client.send(new dynamodb.GetItemCommand({ TableName: 'nobody', Key: { pk } }))).rejects.toBeInstanceOf(
    dynamodb.ResourceNotFoundException,
  );
});
