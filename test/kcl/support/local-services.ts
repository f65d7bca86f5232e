/** The local Kinesis and DynamoDB services behind one port of loopback. */
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateStreamCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { systemClock } from '../../../local/gateway/service';
import { DynamoDbEngine } from '../../../local/services/dynamodb/engine';
import { KinesisEngine } from '../../../local/services/kinesis/engine';

export interface LocalServices {
  readonly endpoint: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly kinesis: KinesisClient;
  readonly dynamodb: DynamoDBClient;
  createStream(name: string, shards: number): Promise<void>;
  createLeaseTable(name: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startLocalServices(): Promise<LocalServices> {
  const gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
  gateway.add(new KinesisEngine({ clock: systemClock }));
  gateway.add(new DynamoDbEngine({ clock: systemClock }));
  const { endpoint } = gateway;
  const credentials = { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'any' };
  const client = { endpoint, region: 'us-east-1', credentials };
  const kinesis = new KinesisClient(client);
  const dynamodb = new DynamoDBClient(client);
  return {
    endpoint,
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    kinesis,
    dynamodb,
    createStream: async (name, shards) => {
      await kinesis.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
    },
    createLeaseTable: (name) => createLeaseTable(dynamodb, name),
    stop: async () => {
      kinesis.destroy();
      dynamodb.destroy();
      await gateway.close();
    },
  };
}

/** As infrastructure would make it: the key, and the index by owner. */
export async function createLeaseTable(dynamodb: DynamoDBClient, name: string): Promise<void> {
  const attribute = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
  await dynamodb.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [attribute('leaseKey'), attribute('leaseOwner')],
      KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'LeaseOwnerToLeaseKeyIndex',
          KeySchema: [
            { AttributeName: 'leaseOwner', KeyType: 'HASH' },
            { AttributeName: 'leaseKey', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
}
