/** The lake's stores over the AWS SDK and HTTP, against the local services. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { adapters } from '../../../consumer/kcl';
import { DynamoDbRegistryStore } from '../../../consumer/lake/stores/dynamodb-registry-store';
import { S3ObjectStore } from '../../../consumer/lake/stores/s3-object-store';
import { CredentialRegistry } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { systemClock } from '../../../local/gateway/service';
import { DynamoDbEngine } from '../../../local/services/dynamodb/engine';
import { S3Service } from '../../../local/services/s3/s3-service';

export interface WiredStores {
  readonly registry: DynamoDbRegistryStore;
  readonly objects: S3ObjectStore;
  readonly gateway: Gateway;
  readonly dynamodb: DynamoDBClient;
  /** Configuration for further SDK clients. */
  readonly client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  close(): Promise<void>;
}

export async function wiredStores(): Promise<WiredStores> {
  const directory = mkdtempSync(join(tmpdir(), 'lake-'));
  const gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
  gateway.add(new DynamoDbEngine({ clock: systemClock }));
  gateway.add(new S3Service({ clock: systemClock, directory, emit: () => undefined }));
  const client = {
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'LOCALROOT0000000000', secretAccessKey: 'any' },
  };
  const dynamodb = new DynamoDBClient(client);
  const s3 = new S3Client(client);
  await s3.send(new CreateBucketCommand({ Bucket: 'lake' }));
  const key = (name: string, KeyType: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType });
  await dynamodb.send(
    new CreateTableCommand({
      TableName: 'registry',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk', 'unfolded', 'unfoldedPartition'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S' as const,
      })),
      KeySchema: [key('pk', 'HASH'), key('sk', 'RANGE')],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'UnfoldedIndex',
          KeySchema: [key('unfolded', 'HASH'), key('unfoldedPartition', 'RANGE')],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
  return {
    registry: new DynamoDbRegistryStore(dynamodb, 'registry', adapters.systemClock),
    objects: new S3ObjectStore(s3, 'lake', adapters.systemClock),
    gateway,
    dynamodb,
    client,
    close: async () => {
      dynamodb.destroy();
      s3.destroy();
      await gateway.close();
      rmSync(directory, { recursive: true });
    },
  };
}
