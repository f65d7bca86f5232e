import { HOUR } from '../lake/support/telemetry';
import { until, WiredConsumers } from './support/wired-consumers';

let consumers: WiredConsumers;

beforeEach(async () => {
  consumers = await WiredConsumers.open();
});

afterEach(() => consumers.close());

const HOUR_START = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;

/** Sixty readings of six devices, which share the shards among them; ten of them come twice, and one payload is no JSON. */
function backlog(): { payload: object | string; device: string }[] {
  const batch = Array.from({ length: 60 }, (_, at) => ({
    payload: { timestamp: HOUR_START + at * 1000, temperature: at, messageId: `m-${at}` },
    device: `sensor-${at % 6}`,
  }));
  return [...batch, ...batch.slice(0, 10), { payload: '{', device: 'sensor-1' }];
}

function laterReadings(): { payload: object; device: string }[] {
  return Array.from({ length: 6 }, (_, at) => ({
    payload: { timestamp: HOUR_START + 3 * HOUR, temperature: at },
    device: `sensor-${at}`,
  }));
}

test('records put on the stream end in sealed partitions, once each; a worker that stops hands its shards over', async () => {
  const hour = HOUR_START;
  const first = consumers.start('worker-1');
  await consumers.put(backlog());
  const item = await until('the first seal', () => consumers.sealed(hour));
  expect(item).toMatchObject({ generation: 1, registered: 70, folded: 60, duplicates: 10, rows: 6 });
  expect(await consumers.committed()).toEqual({ readings: 70, quarantined: 1 });

  expect(first.consumer.health()).toMatchObject({ healthy: true, detail: { state: 'STARTED' } });
  consumers.start('worker-2');
  first.consumer.stop();
  await first.done;
  await consumers.put([{ payload: { timestamp: hour + HOUR, temperature: 1 }, device: 'sensor-1' }]);
  const second = await until('the second seal', () => consumers.sealed(hour + HOUR));
  expect(second).toMatchObject({ registered: 1, folded: 1 });
  // Late for an hour that is sealed: the next generation, with everything.
  await consumers.put([{ payload: { timestamp: hour + 59_500, temperature: 100 }, device: 'sensor-1' }]);
  const again = await until('the second generation', async () => {
    const now = await consumers.sealed(hour);
    return now?.generation === 2 ? now : undefined;
  });
  expect(again).toMatchObject({ registered: 71, folded: 61, duplicates: 10 });
  expect(again.contentHash).not.toBe(item.contentHash);
});

test.each(['CLIENT_VERSION_CONFIG_3X', 'CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X'] as const)(
  'by enhanced fan-out and %s: records are pushed, never polled, and end in a sealed partition, once each',
  async (clientVersionConfig) => {
    const config = { consumerArn: await consumers.registerConsumer(), clientVersionConfig };
    const called = new Set<string>();
    const call = consumers.kinesis.call.bind(consumers.kinesis);
    jest.spyOn(consumers.kinesis, 'call').mockImplementation((operation, ...rest) => {
      called.add(operation);
      return call(operation, ...rest);
    });
    consumers.start('worker-1', config);
    consumers.start('worker-2', config);
    await consumers.put(backlog());
    await until('the commit', async () => ((await consumers.committed()).readings === 70 ? true : undefined));
    expect(await consumers.committed()).toEqual({ readings: 70, quarantined: 1 });
    // An event of a subscription proves nothing of a shard that is idle: what arrives later shows that the hour is over.
    const item = await until('the seal', async () => {
      await consumers.put(laterReadings());
      return consumers.sealed(HOUR_START);
    });
    expect(item).toMatchObject({ generation: 1, registered: 70, folded: 60, duplicates: 10 });
    expect([...called]).toEqual(expect.arrayContaining(['DescribeStreamConsumer', 'SubscribeToShard']));
    expect([...called].filter((operation) => /GetRecords|GetShardIterator/.test(operation))).toEqual([]);
  },
);
