import {
  BatchCreatePartitionCommand,
  CreateDatabaseCommand,
  CreatePartitionCommand,
  CreateTableCommand,
  GetPartitionCommand,
  GetPartitionsCommand,
  GetTableCommand,
  GlueClient,
  UpdatePartitionCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-glue';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { systemClock } from '../../../local/gateway/service';
import { GlueService } from '../../../local/services/glue/glue-service';

const TABLE = { DatabaseName: 'telemetry', TableName: 'features' };
const partition = (hour: string, Location: string) => ({
  Values: ['2026-01-01', hour],
  StorageDescriptor: { Location },
});

test('partitions are created, moved and listed, and survive a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'glue-'));
  const gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
  const open = () => new GlueService({ directory, clock: systemClock, accountId: '000000000000' });
  let glue = open();
  gateway.add(glue);
  const client = new GlueClient({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'x' },
  });

  await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'telemetry' } }));
  const TableInput = { Name: 'features', PartitionKeys: [{ Name: 'dt' }, { Name: 'hour' }] };
  await client.send(new CreateTableCommand({ DatabaseName: 'telemetry', TableInput }));
  await expect(client.send(new CreateTableCommand({ DatabaseName: 'telemetry', TableInput }))).rejects.toMatchObject({
    name: 'AlreadyExistsException',
  });
  await client.send(new CreatePartitionCommand({ ...TABLE, PartitionInput: partition('05', 's3://lake/gen=1/') }));
  await expect(
    client.send(new CreatePartitionCommand({ ...TABLE, PartitionInput: partition('05', 's3://lake/gen=1/') })),
  ).rejects.toMatchObject({ name: 'AlreadyExistsException' });
  await expect(
    client.send(new CreatePartitionCommand({ ...TABLE, PartitionInput: { Values: ['2026-01-01'] } })),
  ).rejects.toMatchObject({ name: 'InvalidInputException' });
  const { Errors } = await client.send(
    new BatchCreatePartitionCommand({
      ...TABLE,
      PartitionInputList: [partition('05', 'x'), partition('06', 's3://lake/gen=1/')],
    }),
  );
  expect(Errors).toMatchObject([
    { PartitionValues: ['2026-01-01', '05'], ErrorDetail: { ErrorCode: 'AlreadyExistsException' } },
  ]);
  await client.send(
    new UpdatePartitionCommand({
      ...TABLE,
      PartitionValueList: ['2026-01-01', '05'],
      PartitionInput: partition('05', 's3://lake/gen=2/'),
    }),
  );
  await client.send(
    new UpdateTableCommand({ DatabaseName: 'telemetry', TableInput: { ...TableInput, Description: 'newer' } }),
  );

  glue.close();
  glue = open();
  gateway.add(glue);
  const { Table } = await client.send(new GetTableCommand({ DatabaseName: 'telemetry', Name: 'features' }));
  expect(Table).toMatchObject({ Description: 'newer', CreateTime: expect.any(Date) });
  const { Partition } = await client.send(new GetPartitionCommand({ ...TABLE, PartitionValues: ['2026-01-01', '05'] }));
  expect(Partition).toMatchObject({
    StorageDescriptor: { Location: 's3://lake/gen=2/' },
    CreationTime: expect.any(Date),
  });
  const first = await client.send(new GetPartitionsCommand({ ...TABLE, MaxResults: 1 }));
  const second = await client.send(new GetPartitionsCommand({ ...TABLE, MaxResults: 1, NextToken: first.NextToken }));
  expect([first, second].flatMap(({ Partitions }) => Partitions!.map(({ Values }) => Values![1]))).toEqual([
    '05',
    '06',
  ]);
  expect(second.NextToken).toBeUndefined();
  await expect(
    client.send(new GetPartitionCommand({ ...TABLE, PartitionValues: ['2026-01-01', '07'] })),
  ).rejects.toMatchObject({ name: 'EntityNotFoundException' });
  expect(glue.summary()).toEqual([{ table: 'telemetry.features', partitions: 2 }]);

  client.destroy();
  glue.close();
  await gateway.close();
  rmSync(directory, { recursive: true });
});
