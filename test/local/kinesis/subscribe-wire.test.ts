/** SubscribeToShard on the wire: the real client, with its default HTTP/2 handler and over HTTP/1.1. */
import {
  CreateStreamCommand,
  KinesisClient,
  PutRecordCommand,
  RegisterStreamConsumerCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  SplitShardCommand,
  SubscribeToShardCommand,
} from '@aws-sdk/client-kinesis';
import type { SubscribeToShardEvent } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { encodeEventStream, encodeMessage, EventStreamOutput } from '../../../local/gateway/event-stream';
import { Gateway } from '../../../local/gateway/gateway';
import { systemClock } from '../../../local/gateway/service';
import { KinesisEngine } from '../../../local/services/kinesis/engine';

test('an empty message is that of the published test vectors', () => {
  expect(encodeMessage({}, Buffer.alloc(0)).toString('hex')).toBe('000000100000000005c248eb7d98c8ff');
});

test('a client that leaves at once does not leave the subscription behind', async () => {
  let ended = false;
  async function* events(): AsyncGenerator<unknown, void, void> {
    try {
      yield {};
    } finally {
      ended = true;
    }
  }
  const body = encodeEventStream(new EventStreamOutput('E', events()), {
    contentType: 'application/x-amz-json-1.1',
    encode: JSON.stringify,
  });
  await body.next();
  await body.return();
  expect(ended).toBe(true);
});

describe.each([
  ['HTTP/2, the client’s default', undefined],
  ['HTTP/1.1', new NodeHttpHandler()],
])('%s', (_name, requestHandler) => {
  const StreamName = 's';
  const ShardId = 'shardId-000000000000';
  let gateway: Gateway;
  let client: KinesisClient;
  let ConsumerARN: string;

  const put = (text: string) =>
    client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from(text) }));

  async function subscribe(Type: 'LATEST' | 'TRIM_HORIZON'): Promise<AsyncIterator<SubscribeToShardEvent>> {
    const output = await client.send(new SubscribeToShardCommand({ ConsumerARN, ShardId, StartingPosition: { Type } }));
    return (async function* () {
      for await (const event of output.EventStream!) yield event.SubscribeToShardEvent!;
    })();
  }

  const texts = (event: SubscribeToShardEvent) => event.Records!.map(({ Data }) => Buffer.from(Data!).toString());

  beforeEach(async () => {
    gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
    gateway.add(new KinesisEngine({ clock: systemClock, limits: 'off' }));
    client = new KinesisClient({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'any' },
      maxAttempts: 1,
      ...(requestHandler && { requestHandler }),
    });
    await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    const { Consumer } = await client.send(
      new RegisterStreamConsumerCommand({
        StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
        ConsumerName: 'app',
      }),
    );
    ConsumerARN = Consumer!.ConsumerARN!;
  });

  afterEach(async () => {
    client.destroy();
    await gateway.close();
  });

  test('records that are there, records that arrive, the end of the shard with its children', async () => {
    await put('a');
    const events = await subscribe('TRIM_HORIZON');
    const first = (await events.next()).value as SubscribeToShardEvent;
    expect(texts(first)).toEqual(['a']);
    expect(first.ContinuationSequenceNumber).toBe(first.Records![0]!.SequenceNumber);
    expect(first.Records![0]!.ApproximateArrivalTimestamp).toBeInstanceOf(Date);

    const pending = events.next();
    await put('b');
    let got = (await pending).value as SubscribeToShardEvent;
    while (got.Records!.length === 0) got = (await events.next()).value as SubscribeToShardEvent;
    expect(texts(got)).toEqual(['b']);

    await client.send(
      new SplitShardCommand({ StreamName, ShardToSplit: ShardId, NewStartingHashKey: String(2n ** 127n) }),
    );
    let last = (await events.next()).value as SubscribeToShardEvent;
    while (last.ContinuationSequenceNumber !== undefined) last = (await events.next()).value as SubscribeToShardEvent;
    expect(last.ChildShards).toEqual([
      expect.objectContaining({ ShardId: 'shardId-000000000001', ParentShards: [ShardId] }),
      expect.objectContaining({ ShardId: 'shardId-000000000002', ParentShards: [ShardId] }),
    ]);
    expect((await events.next()).done).toBe(true);
  });

  test('who is taken over hears of it as an exception in the stream', async () => {
    await put('a');
    const first = await subscribe('TRIM_HORIZON');
    await first.next();
    const second = await subscribe('TRIM_HORIZON');
    await expect(
      (async () => {
        for (;;) if ((await first.next()).done) return;
      })(),
    ).rejects.toBeInstanceOf(ResourceInUseException);
    expect(texts((await second.next()).value as SubscribeToShardEvent)).toEqual(['a']);
  });

  test('an event of a megabyte arrives whole', async () => {
    const large = 'x'.repeat((1 << 20) - 10);
    await put(large);
    const events = await subscribe('TRIM_HORIZON');
    expect(texts((await events.next()).value as SubscribeToShardEvent)).toEqual([large]);
  });

  test('an unknown consumer is refused before the stream begins', async () => {
    await expect(
      client.send(
        new SubscribeToShardCommand({
          ConsumerARN: `${ConsumerARN}1`,
          ShardId,
          StartingPosition: { Type: 'LATEST' },
        }),
      ),
    ).rejects.toBeInstanceOf(ResourceNotFoundException);
  });
});
