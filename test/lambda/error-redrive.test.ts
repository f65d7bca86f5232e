import { redrivenRecord } from '../../lambda/error-redrive/envelope';
import { createHandler } from '../../lambda/error-redrive/handler';
import type { SqsRecord } from '../../lambda/sqs';
import { client } from './support/fakes';

interface Entry {
  readonly Data: Uint8Array;
  readonly PartitionKey: string;
}

const payload = Buffer.from('{"temperature": 21}').toString('base64');
const SENT = 1_790_000_000_123;

function body(topic: string, base64OriginalPayload: unknown = payload): string {
  return JSON.stringify({
    ruleName: 'telemetry_test_sensor_monitoring',
    topic,
    clientId: 'box-1',
    base64OriginalPayload,
    failures: [{ failedAction: 'KinesisAction', failedResource: 's', errorMessage: 'ProvisionedThroughputExceeded' }],
  });
}

describe('the envelope', () => {
  test('is the one that the rule writes, with the device as partition key', () => {
    expect(redrivenRecord(body('dt/sensor-monitoring/box-1'), 'm', SENT)).toEqual({
      data: { payload, topic: 'dt/sensor-monitoring/box-1', device: 'box-1', received: SENT },
      partitionKey: 'box-1',
    });
  });

  test('has no Basic Ingest prefix in its topic', () => {
    const { data } = redrivenRecord(
      body('$aws/rules/telemetry_test_sensor_monitoring/dt/sensor-monitoring/box-1'),
      'm',
      SENT,
    );
    expect(data).toMatchObject({ topic: 'dt/sensor-monitoring/box-1', device: 'box-1' });
  });

  test('keeps a topic that is none of ours, for the quarantine', () => {
    const record = redrivenRecord(body('elsewhere'), 'message-id', SENT);
    expect(record).toEqual({
      data: { payload, topic: 'elsewhere', device: '', received: SENT },
      partitionKey: 'message-id',
    });
    expect(redrivenRecord(body(`dt/x/${'d'.repeat(300)}`), 'm', SENT).partitionKey).toHaveLength(256);
  });

  test.each([
    ['not JSON', '{', /not JSON/],
    ['null', 'null', /topic must be a string, got undefined/],
    ['without payload', body('dt/a/b', null), /base64OriginalPayload must be a string, got object/],
  ])('%s is refused by name', (_, text, error) => {
    expect(() => redrivenRecord(text, 'm', SENT)).toThrow(error);
  });
});

describe('the handler', () => {
  let calls: Entry[][];
  let answer: (entries: Entry[]) => unknown;
  beforeEach(() => {
    calls = [];
    answer = (entries) => ({ Records: entries.map(() => ({ SequenceNumber: '1' })) });
    jest.spyOn(console, 'log').mockImplementation(() => {});
  });
  afterEach(() => jest.restoreAllMocks());

  function handle(records: Partial<SqsRecord>[]) {
    const kinesis = client({
      PutRecords: ({ StreamName, Records }) => {
        expect(StreamName).toBe('telemetry');
        calls.push(Records);
        return answer(Records);
      },
    });
    const Records = records.map((record, index) => ({ messageId: `m${index}`, body: '', ...record }));
    return createHandler({ kinesis, streamName: 'telemetry', now: () => 5 })({ Records });
  }
  const failed = async (records: Partial<SqsRecord>[]): Promise<string[]> =>
    (await handle(records)).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

  test('puts each reading once, received when the rule gave it up', async () => {
    const attributes = { SentTimestamp: String(SENT) };
    expect(await failed([{ body: body('dt/a/x'), attributes }, { body: body('dt/a/y') }])).toEqual([]);
    const put = calls.flat().map(({ Data }) => JSON.parse(Buffer.from(Data).toString()));
    expect(put.map(({ device, received }) => [device, received])).toEqual([
      ['x', SENT],
      ['y', 5],
    ]);
  });

  test('reports what the stream refused, what is malformed, and nothing else', async () => {
    answer = (entries) => ({
      FailedRecordCount: 1,
      Records: entries.map(({ PartitionKey }) =>
        PartitionKey === 'y' ? { ErrorCode: 'ProvisionedThroughputExceededException' } : { SequenceNumber: '1' },
      ),
    });
    expect(await failed([{ body: body('dt/a/x') }, { body: '{' }, { body: body('dt/a/y') }])).toEqual(['m1', 'm2']);
  });

  test('keeps to the limits of PutRecords; a call that fails fails its own records only', async () => {
    const large = Buffer.alloc(128 * 1024, 'x').toString('base64');
    let call = 0;
    answer = (entries) => {
      call += 1;
      if (call === 2) throw new Error('network');
      return { Records: entries.map(() => ({ SequenceNumber: '1' })) };
    };
    const records = Array.from({ length: 70 }, () => ({ body: body('dt/a/x', large) }));
    const reported = await failed(records);
    expect(calls.length).toBe(3);
    for (const entries of calls) {
      const bytes = entries.reduce((sum, { Data, PartitionKey }) => sum + Data.byteLength + PartitionKey.length, 0);
      expect(bytes).toBeLessThanOrEqual(5 * 1024 * 1024);
    }
    expect(reported).toEqual(calls[1]!.map((_, index) => `m${calls[0]!.length + index}`));
  });

  test('logs no payload', async () => {
    await handle([{ body: body('dt/a/x') }, { body: `{"topic": "secret-topic", "base64OriginalPayload": 7}` }]);
    const logged = jest.mocked(console.log).mock.calls.flat().join('\n');
    expect(logged).toContain('base64OriginalPayload must be a string, got number');
    expect(logged).not.toContain(payload);
    expect(logged).not.toContain('secret-topic');
  });
});
