import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { SqsService } from '../../../local/services/sqs/sqs-service';
import { ManualClock, settle } from '../gateway/manual-clock';

const caller = new CredentialRegistry('000000000000').root;
const account = { accountId: '000000000000', region: 'us-east-1', endpoint: () => 'http://127.0.0.1:1' };
const QueueUrl = 'http://127.0.0.1:1/000000000000/work';

interface Received {
  Messages?: { MessageId: string; Body: string; ReceiptHandle: string; Attributes?: Record<string, string> }[];
}

describe('queues, in manual time', () => {
  let clock: ManualClock;
  let sqs: SqsService;
  const call = (operation: string, input: Record<string, unknown> = {}) =>
    sqs.call(operation, { QueueUrl, ...input }, caller);
  const receive = async (input: Record<string, unknown> = {}) =>
    ((await call('ReceiveMessage', input)) as Received).Messages ?? [];
  const create = (QueueName: string, Attributes: Record<string, string> = {}) =>
    sqs.call('CreateQueue', { QueueName, Attributes }, caller);

  beforeEach(async () => {
    clock = new ManualClock();
    sqs = new SqsService({ clock, ...account });
    await create('dead');
    await create('work', {
      VisibilityTimeout: '30',
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:dead',
        maxReceiveCount: 2,
      }),
    });
  });
  afterEach(() => sqs.close());

  test('a received message is invisible until its timeout, then comes again with a higher count', async () => {
    await call('SendMessage', { MessageBody: 'a' });
    const [first] = await receive({ MessageSystemAttributeNames: ['All'] });
    expect(first).toMatchObject({ Body: 'a', Attributes: { ApproximateReceiveCount: '1' } });
    expect(await receive()).toEqual([]);
    await clock.advance(29_999);
    expect(await receive()).toEqual([]);
    await clock.advance(1);
    expect(await receive({ MessageSystemAttributeNames: ['All'] })).toMatchObject([
      { MessageId: first!.MessageId, Attributes: { ApproximateReceiveCount: '2' } },
    ]);
  });

  test('a deleted message does not come again; deleting twice is no error', async () => {
    await call('SendMessage', { MessageBody: 'a' });
    const [{ ReceiptHandle } = { ReceiptHandle: '' }] = await receive();
    await call('DeleteMessage', { ReceiptHandle });
    await call('DeleteMessage', { ReceiptHandle });
    await clock.advance(60_000);
    expect(await receive()).toEqual([]);
  });

  test('visibility can be changed: 0 gives the message back at once, a longer one holds it', async () => {
    await call('SendMessage', { MessageBody: 'a' });
    const [one] = await receive();
    await call('ChangeMessageVisibility', { ReceiptHandle: one!.ReceiptHandle, VisibilityTimeout: 0 });
    const [two] = await receive();
    expect(two!.MessageId).toBe(one!.MessageId);
    await call('ChangeMessageVisibility', { ReceiptHandle: two!.ReceiptHandle, VisibilityTimeout: 100 });
    await clock.advance(99_000);
    expect(await receive()).toEqual([]);
  });

  test('a message received as often as allowed goes to the dead-letter queue, with its history', async () => {
    await call('SendMessage', { MessageBody: 'poison' });
    const sentAt = clock.now();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(await receive()).toHaveLength(1);
      await clock.advance(30_000);
    }
    expect(await receive()).toEqual([]);
    const dead = (await sqs.call(
      'ReceiveMessage',
      { QueueUrl: QueueUrl.replace('work', 'dead'), MessageSystemAttributeNames: ['All'] },
      caller,
    )) as Received;
    expect(dead.Messages).toMatchObject([
      {
        Body: 'poison',
        Attributes: {
          DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:000000000000:work',
          SentTimestamp: String(sentAt),
          ApproximateReceiveCount: '1',
        },
      },
    ]);
  });

  test('a long poll ends with the message that arrives, or empty at its end', async () => {
    const waiting = receive({ WaitTimeSeconds: 20 });
    await clock.advance(5_000);
    await call('SendMessage', { MessageBody: 'late' });
    await settle();
    expect(await waiting).toMatchObject([{ Body: 'late' }]);

    const empty = receive({ WaitTimeSeconds: 20 });
    await clock.advance(20_000);
    expect(await empty).toEqual([]);
  });

  test('a long poll gets a message that becomes visible again while it waits', async () => {
    await call('SendMessage', { MessageBody: 'a' });
    await receive({ VisibilityTimeout: 10 });
    const waiting = receive({ WaitTimeSeconds: 20 });
    await clock.advance(10_000);
    expect(await waiting).toHaveLength(1);
  });

  test('two long polls do not get the same message', async () => {
    const both = [receive({ WaitTimeSeconds: 20 }), receive({ WaitTimeSeconds: 20 })];
    await settle();
    await call('SendMessage', { MessageBody: 'once' });
    await clock.advance(20_000);
    expect((await Promise.all(both)).flat()).toHaveLength(1);
  });

  test('a delayed message comes after its delay', async () => {
    await call('SendMessage', { MessageBody: 'a', DelaySeconds: 10 });
    expect(sqs.summary()).toContainEqual({ name: 'work', visible: 0, inFlight: 0, delayed: 1 });
    await clock.advance(9_999);
    expect(await receive()).toEqual([]);
    await clock.advance(1);
    expect(await receive()).toHaveLength(1);
  });

  test('messages older than the retention period are gone', async () => {
    await call('SetQueueAttributes', { Attributes: { MessageRetentionPeriod: '60' } });
    await call('SendMessage', { MessageBody: 'old' });
    await clock.advance(50_000);
    await call('SendMessage', { MessageBody: 'young' });
    await clock.advance(11_000);
    expect(await receive({ MaxNumberOfMessages: 10 })).toMatchObject([{ Body: 'young' }]);
  });

  test.each<[string, string, Record<string, unknown>, string]>([
    [
      'a queue that is not there',
      'SendMessage',
      { QueueUrl: 'http://127.0.0.1:1/0/none', MessageBody: 'a' },
      'QueueDoesNotExist',
    ],
    ['an empty body', 'SendMessage', { MessageBody: '' }, 'MissingParameter'],
    ['a body above 1 MiB', 'SendMessage', { MessageBody: 'x'.repeat(1_048_577) }, 'InvalidParameterValue'],
    ['eleven at a time', 'ReceiveMessage', { MaxNumberOfMessages: 11 }, 'InvalidParameterValue'],
    ['a poll of 21 s', 'ReceiveMessage', { WaitTimeSeconds: 21 }, 'InvalidParameterValue'],
    ['a made-up receipt', 'DeleteMessage', { ReceiptHandle: 'abc' }, 'ReceiptHandleIsInvalid'],
    ['an empty batch', 'SendMessageBatch', { Entries: [] }, 'EmptyBatchRequest'],
    [
      'two entries of one id',
      'SendMessageBatch',
      {
        Entries: [
          { Id: 'a', MessageBody: 'x' },
          { Id: 'a', MessageBody: 'y' },
        ],
      },
      'BatchEntryIdsNotDistinct',
    ],
    ['an unknown attribute', 'SetQueueAttributes', { Attributes: { Color: 'red' } }, 'InvalidAttributeName'],
    [
      'an attribute out of range',
      'SetQueueAttributes',
      { Attributes: { VisibilityTimeout: '43201' } },
      'InvalidAttributeValue',
    ],
    ['an operation that is not there', 'TagQueue', {}, 'UnknownOperationException'],
  ])('refuses %s', async (_name, operation, input, code) => {
    await expect(call(operation, input)).rejects.toMatchObject({ code });
  });

  test('creating a queue again with other attributes is refused, with the same it is found', async () => {
    await expect(create('dead', { DelaySeconds: '5' })).rejects.toMatchObject({ code: 'QueueNameExists' });
    expect(await create('dead')).toEqual({ QueueUrl: 'http://127.0.0.1:1/000000000000/dead' });
  });
});

test('messages, their counts and what was deleted survive a restart', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sqs-'));
  const clock = new ManualClock();
  const open = () => new SqsService({ clock, directory, ...account });
  let sqs = open();
  await sqs.call('CreateQueue', { QueueName: 'work' }, caller);
  for (const MessageBody of ['a', 'b']) await sqs.call('SendMessage', { QueueUrl, MessageBody }, caller);
  const { Messages } = (await sqs.call('ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 }, caller)) as Received;
  await sqs.call(
    'DeleteMessage',
    { QueueUrl, ReceiptHandle: Messages!.find(({ Body }) => Body === 'a')!.ReceiptHandle },
    caller,
  );
  sqs.close();

  sqs = open();
  expect(sqs.summary()).toEqual([{ name: 'work', visible: 0, inFlight: 1, delayed: 0 }]);
  await clock.advance(30_000);
  const again = (await sqs.call(
    'ReceiveMessage',
    { QueueUrl, AttributeNames: ['ApproximateReceiveCount'] },
    caller,
  )) as Received;
  expect(again.Messages).toMatchObject([{ Body: 'b', Attributes: { ApproximateReceiveCount: '2' } }]);
  sqs.close();
  rmSync(directory, { recursive: true });
});

test('the SDK accepts what comes over the wire, checksums included', async () => {
  const credentials = new CredentialRegistry('000000000000');
  const gateway = await Gateway.listen({ port: 0, credentials });
  const sqs = new SqsService({
    clock: { now: () => Date.now(), after: () => () => undefined },
    ...account,
    endpoint: () => gateway.endpoint,
  });
  gateway.add(sqs);
  const client = new SQSClient({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'x' },
  });
  const { QueueUrl: url } = await client.send(new CreateQueueCommand({ QueueName: 'wire' }));
  const MessageAttributes = {
    rule: { DataType: 'String', StringValue: 'ä' },
    raw: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2]) },
    count: { DataType: 'Number', StringValue: '3' },
  };
  await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'größe', MessageAttributes }));
  const batch = await client.send(
    new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: [
        { Id: '1', MessageBody: 'ok' },
        { Id: '2', MessageBody: 'late', DelaySeconds: 901 },
      ],
    }),
  );
  expect([batch.Successful?.map(({ Id }) => Id), batch.Failed?.map(({ Code }) => Code)]).toEqual([
    ['1'],
    ['InvalidParameterValue'],
  ]);
  const { Messages } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ['All'], MaxNumberOfMessages: 1 }),
  );
  expect(Messages![0]).toMatchObject({
    Body: 'größe',
    MessageAttributes: { rule: { StringValue: 'ä' } },
    MD5OfMessageAttributes: expect.any(String),
  });
  expect(Buffer.from(Messages![0]!.MessageAttributes!['raw']!.BinaryValue!)).toEqual(Buffer.from([1, 2]));
  const receipt = { QueueUrl: url, ReceiptHandle: Messages![0]!.ReceiptHandle };
  await client.send(new ChangeMessageVisibilityCommand({ ...receipt, VisibilityTimeout: 5 }));
  await client.send(new DeleteMessageCommand(receipt));
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
  expect(Attributes).toMatchObject({
    QueueArn: 'arn:aws:sqs:us-east-1:000000000000:wire',
    ApproximateNumberOfMessages: '1',
  });
  await expect(
    client.send(new SendMessageCommand({ QueueUrl: `${gateway.endpoint}/000000000000/none`, MessageBody: 'a' })),
  ).rejects.toMatchObject({
    name: 'QueueDoesNotExist',
  });
  client.destroy();
  sqs.close();
  await gateway.close();
});
