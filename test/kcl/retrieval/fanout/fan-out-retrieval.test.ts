/** A scheduler whose configuration names a consumer: the look at the consumer, workers in virtual time, and the real client. */
import { PutRecordsCommand, RegisterStreamConsumerCommand, SplitShardCommand } from '@aws-sdk/client-kinesis';
import { adapters, ConfigurationError, InvalidStateError, Scheduler } from '../../../../consumer/kcl';
import { resolveConfig } from '../../../../consumer/kcl/config';
import type { KinesisApi } from '../../../../consumer/kcl/dependencies';
import type { ShardRecordProcessor } from '../../../../consumer/kcl/processor';
import type { FanOutApi } from '../../../../consumer/kcl/retrieval/fanout/fan-out-api';
import { verifyConsumer } from '../../../../consumer/kcl/retrieval/fanout/fan-out-retrieval';
import { Cluster } from '../../support/cluster';
import { serviceError } from '../../support/fake-dynamodb';
import { startLocalServices, type LocalServices } from '../../support/local-services';
import { VirtualTime } from '../../support/virtual-time';
import { WorkerHost } from '../../support/worker-host';
import { FakeFanOut } from './fake-fan-out';

const consumerArn = 'arn:aws:kinesis:us-east-1:000000000000:stream/stream/consumer/app:1763871735';
const CONFIG = {
  applicationName: 'app',
  streamName: 'stream',
  workerId: 'w',
  initialPosition: { type: 'TRIM_HORIZON' },
} as const;

describe('the configuration', () => {
  test.each([
    'app',
    'arn:aws:kinesis:us-east-1:000000000000:stream/stream',
    'arn:aws:kinesis:us-east-1:000000000000:stream/other/consumer/app:1763871735',
    7 as unknown as string,
  ])('%p is no consumer of the stream', (arn) => {
    expect(() => resolveConfig({ ...CONFIG, consumerArn: arn })).toThrow(ConfigurationError);
    expect(() => resolveConfig({ ...CONFIG, consumerArn: arn })).toThrow(/consumerArn must be/);
  });

  test('without a consumer the shards are polled, and nothing is asked of fan-out', async () => {
    expect(resolveConfig(CONFIG).consumerArn).toBeUndefined();
    await verifyConsumer({} as KinesisApi, new VirtualTime(), resolveConfig(CONFIG));
  });
});

describe('the consumer is looked at', () => {
  const verify = (describeStreamConsumer: FanOutApi['describeStreamConsumer']) => {
    const kinesis = { fanOut: { describeStreamConsumer } } as unknown as KinesisApi;
    return verifyConsumer(kinesis, new VirtualTime(), resolveConfig({ ...CONFIG, consumerArn }));
  };

  test('ACTIVE: it can be used', () => verify(async () => ({ status: 'ACTIVE' })));

  test('CREATING: it is looked at again, as after a failed start', async () => {
    const error = await verify(async () => ({ status: 'CREATING' })).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ message: expect.stringContaining('still being created') as string });
    expect(error).not.toBeInstanceOf(InvalidStateError);
  });

  test.each([
    ['DELETING', async () => ({ status: 'DELETING' })],
    ['missing', () => Promise.reject(serviceError('ResourceNotFoundException'))],
  ])('%s: the start fails and says what to do', async (_name, describeStreamConsumer) => {
    await expect(verify(describeStreamConsumer)).rejects.toThrow(/register one \(AWS::Kinesis::StreamConsumer\)/);
    await expect(verify(describeStreamConsumer)).rejects.toBeInstanceOf(InvalidStateError);
  });

  test('a client without fan-out: the start fails', async () => {
    const config = resolveConfig({ ...CONFIG, consumerArn });
    await expect(verifyConsumer({} as KinesisApi, new VirtualTime(), config)).rejects.toThrow(/has no fanOut/);
  });
});

/** What a process that was killed would not see any more, it does not see. */
function withinProcess(fanOut: FanOutApi, host: WorkerHost): FanOutApi {
  const alive = () => host.clock.sleep(0);
  return {
    describeStreamConsumer: (input, signal) => fanOut.describeStreamConsumer(input, signal),
    subscribeToShard: async (input, signal) => {
      await alive();
      const subscription = await fanOut.subscribeToShard(input, signal);
      await alive();
      const next = async () => {
        const result = await subscription.events.next();
        await alive();
        return result;
      };
      return { ...subscription, events: { next } };
    },
  };
}

test('workers in virtual time: a reshard, a kill and a shutdown lose nothing; only the killed one’s batch may come again', async () => {
  const cluster = new Cluster(7, 2);
  const fanOut = new FakeFanOut(cluster.time, cluster.stream);
  const seen: string[] = [];
  const processor = (): ShardRecordProcessor => ({
    initialize: async () => undefined,
    processRecords: async ({ records, checkpointer }) => {
      seen.push(...records.map(({ sequenceNumber }) => sequenceNumber));
      if (records.length > 0) await checkpointer.checkpoint();
    },
    leaseLost: async () => undefined,
    shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
    shutdownRequested: async () => undefined,
  });
  const start = (name: string) => {
    const host = new WorkerHost(name, cluster.time, cluster.random, cluster.table, cluster.stream);
    const { dependencies } = host;
    const scheduler = new Scheduler({
      config: { ...CONFIG, workerId: name, consumerArn },
      processorFactory: processor,
      dependencies: { ...dependencies, kinesis: { ...dependencies.kinesis, fanOut: withinProcess(fanOut, host) } },
    });
    scheduler.run().catch(() => undefined);
    return { host, scheduler };
  };
  const [a, b] = [start('a'), start('b')];
  const published = () => cluster.stream.shards.flatMap(({ records }) => records.map((r) => r.sequenceNumber));
  for (let step = 0; step < 30; step++) {
    cluster.publish(5);
    await cluster.time.run(1_000);
    if (step === 10) cluster.stream.split(cluster.stream.shards[0]!.id);
    if (step === 15) a.host.crash();
    if (step === 20) start('c');
    if (step === 25) void b.scheduler.shutdown();
  }
  const all = () => published().every((sequenceNumber) => seen.includes(sequenceNumber));
  expect(await cluster.time.runUntil(all, 120_000)).toBe(true);
  const repeated = seen.length - new Set(seen).size;
  expect(repeated).toBeLessThanOrEqual(6);
  expect(cluster.lease(cluster.stream.shards[0]!.id)?.checkpoint.sequenceNumber ?? 'SHARD_END').toBe('SHARD_END');
});

describe('over the real client', () => {
  let services: LocalServices;
  beforeAll(async () => {
    services = await startLocalServices();
  });
  afterAll(() => services.stop());

  test('records, a split and its children, checkpoints; a clean end', async () => {
    await services.createStream('stream', 1);
    await services.createLeaseTable('app');
    const { Consumer } = await services.kinesis.send(
      new RegisterStreamConsumerCommand({
        StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/stream',
        ConsumerName: 'app',
      }),
    );
    const got: string[] = [];
    let tip: number | undefined;
    const polled = jest.fn();
    const kinesis = adapters.kinesisFromSdk(services.kinesis);
    const scheduler = new Scheduler({
      config: { ...CONFIG, consumerArn: Consumer!.ConsumerARN, failoverTimeMillis: 3_000 },
      processorFactory: (shardId) => ({
        initialize: async () => undefined,
        processRecords: async ({ records, checkpointer, atTip, serviceTime }) => {
          got.push(...records.map(({ data }) => `${shardId.slice(-1)} ${Buffer.from(data).toString()}`));
          if (atTip) tip = serviceTime;
          if (records.length > 0) await checkpointer.checkpoint();
        },
        leaseLost: async () => undefined,
        shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
        shutdownRequested: async () => undefined,
      }),
      dependencies: {
        ...adapters.systemDependencies(),
        log: () => undefined,
        kinesis: { ...kinesis, getRecords: polled },
        dynamodb: adapters.dynamoFromSdk(services.dynamodb),
      },
    });
    const publish = (texts: readonly string[]) =>
      services.kinesis.send(
        new PutRecordsCommand({
          StreamName: 'stream',
          Records: texts.map((text) => ({
            Data: Buffer.from(text),
            PartitionKey: 'k',
            ExplicitHashKey: text < 'm' ? '0' : String(2n ** 128n - 1n),
          })),
        }),
      );
    const until = async (count: number) => {
      for (let waited = 0; got.length < count; waited += 20) {
        if (waited > 15_000) throw new Error(`waited 15 s for ${count} records, got ${got.length}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await publish(['a', 'z']);
    const running = scheduler.run();
    await until(2);
    await publish(['b', 'y']);
    await until(4);
    await services.kinesis.send(
      new SplitShardCommand({
        StreamName: 'stream',
        ShardToSplit: 'shardId-000000000000',
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    await publish(['c', 'x']);
    await until(6);
    expect(got.slice(0, 4)).toEqual(['0 a', '0 z', '0 b', '0 y']);
    expect(got.slice(4).sort()).toEqual(['1 c', '2 x']);
    expect(Math.abs(tip! - Date.now())).toBeLessThan(30_000);
    expect(polled).not.toHaveBeenCalled();
    await scheduler.shutdown();
    await running;
    expect(scheduler.status()).toMatchObject({ state: 'SHUT_DOWN', bytesInMemory: 0 });
  }, 30_000);

  test('the signal ends a subscription that began, and its connection', async () => {
    await services.createStream('silent', 1);
    const { Consumer } = await services.kinesis.send(
      new RegisterStreamConsumerCommand({
        StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/silent',
        ConsumerName: 'app',
      }),
    );
    const { fanOut } = adapters.kinesisFromSdk(services.kinesis);
    const ending = new AbortController();
    const { events, date } = await fanOut!.subscribeToShard(
      {
        consumerArn: Consumer!.ConsumerARN!,
        shardId: 'shardId-000000000000',
        position: { type: 'AT_TIMESTAMP', timestamp: Date.now() - 1_000 },
      },
      ending.signal,
    );
    expect(Math.abs(date! - Date.now())).toBeLessThan(10_000);
    expect((await events.next()).value).toMatchObject({ records: [], childShards: [] });
    const pending = events.next().catch(() => ({ done: true }));
    ending.abort();
    expect(await pending).toMatchObject({ done: true });
  });
});
