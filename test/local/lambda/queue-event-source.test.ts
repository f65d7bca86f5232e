import { QueueEventSource, readBatchItemFailures } from '../../../local/services/lambda/queue-event-source';
import type { QueueEventSourceSettings, QueueMessage } from '../../../local/services/lambda/queue-event-source';

const message = (id: string): QueueMessage => ({
  MessageId: id,
  ReceiptHandle: `receipt-${id}`,
  Body: `body ${id}`,
  MD5OfBody: 'md5',
  Attributes: { SentTimestamp: '1' },
});

/** Runs an event source over batches that a queue gives one after the other. */
async function run(
  batches: QueueMessage[][],
  handler: (ids: string[]) => { payload: string } | { failure: { errorType: string; errorMessage: string } },
  settings: Partial<QueueEventSourceSettings> = {},
): Promise<{ invoked: string[][]; deleted: string[]; payloads: unknown[]; atOnce: number }> {
  const invoked: string[][] = [];
  const deleted: string[] = [];
  const payloads: unknown[] = [];
  let running = 0;
  let atOnce = 0;
  let drained: () => void;
  const done = new Promise<void>((resolve) => (drained = resolve));
  let stopped: () => void = () => undefined;
  const source = new QueueEventSource(
    {
      queueArn: 'arn:aws:sqs:us-east-1:000000000000:work',
      queueUrl: 'url',
      functionArn: 'arn:f',
      batchSize: 10,
      batchingWindow: 0,
      reportBatchItemFailures: true,
      maximumConcurrency: 2,
      ...settings,
    },
    {
      queue: {
        receive: async (_url, maximum, wait) => {
          const next = batches.shift();
          if (next !== undefined) {
            if (next.length > maximum) throw new Error(`${next.length} messages for ${maximum}`);
            return next;
          }
          if (wait < 20) {
            await new Promise((resolve) => setTimeout(resolve, wait * 1_000));
            return [];
          }
          drained();
          await new Promise<void>((resolve) => {
            const before = stopped;
            stopped = () => {
              before();
              resolve();
            };
          });
          return [];
        },
        delete: async (_url, receipts) => void deleted.push(...receipts),
      },
      invoke: async (_arn, payload) => {
        atOnce = Math.max(atOnce, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        payloads.push(JSON.parse(payload));
        const ids = (JSON.parse(payload) as { Records: { messageId: string }[] }).Records.map(
          ({ messageId }) => messageId,
        );
        invoked.push(ids);
        return handler(ids);
      },
      region: 'us-east-1',
      now: () => Date.now(),
      onError: () => undefined,
    },
  );
  await done;
  await new Promise((resolve) => setTimeout(resolve, 20));
  const end = source.stop();
  stopped();
  await end;
  return { invoked, deleted, payloads, atOnce };
}

test('a batch that succeeded is deleted; the record has the shape that Lambda gives', async () => {
  const { deleted, payloads } = await run([[message('a'), message('b')]], () => ({ payload: 'null' }));
  expect(deleted).toEqual(['receipt-a', 'receipt-b']);
  expect((payloads[0] as { Records: unknown[] }).Records[0]).toEqual({
    messageId: 'a',
    receiptHandle: 'receipt-a',
    body: 'body a',
    attributes: { SentTimestamp: '1' },
    messageAttributes: {},
    md5OfBody: 'md5',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:work',
    awsRegion: 'us-east-1',
  });
});

test.each<
  [
    string,
    { payload: string } | { failure: { errorType: string; errorMessage: string } },
    Partial<QueueEventSourceSettings>,
    string[],
  ]
>([
  ['one reported as failed stays', { payload: '{"batchItemFailures":[{"itemIdentifier":"a"}]}' }, {}, ['receipt-b']],
  ['an empty list is full success', { payload: '{"batchItemFailures":[]}' }, {}, ['receipt-a', 'receipt-b']],
  [
    'an id that was not in the batch is full failure',
    { payload: '{"batchItemFailures":[{"itemIdentifier":"z"}]}' },
    {},
    [],
  ],
  ['an answer of another shape is full failure', { payload: '{"batchItemFailures":[{}]}' }, {}, []],
  ['a failure of the function keeps all', { failure: { errorType: 'Error', errorMessage: 'x' } }, {}, []],
  [
    'without reporting, the answer is not looked at',
    { payload: '{"batchItemFailures":[{"itemIdentifier":"a"}]}' },
    { reportBatchItemFailures: false },
    ['receipt-a', 'receipt-b'],
  ],
])('%s', async (_name, result, settings, expected) => {
  expect((await run([[message('a'), message('b')]], () => result, settings)).deleted).toEqual(expected);
});

test('no more invocations at once than the maximum concurrency', async () => {
  const batches = Array.from({ length: 12 }, (_, index) => [message(String(index))]);
  const { invoked, atOnce } = await run(batches, () => ({ payload: 'null' }));
  expect(invoked).toHaveLength(12);
  expect(atOnce).toBe(2);
});

test('several receives fill a batch above ten', async () => {
  const ten = (prefix: string) => Array.from({ length: 10 }, (_, index) => message(`${prefix}${index}`));
  const { invoked } = await run([ten('a'), ten('b'), [message('c')]], () => ({ payload: 'null' }), {
    batchSize: 100,
    batchingWindow: 1,
    maximumConcurrency: 1,
  });
  expect(invoked.map(({ length }) => length)).toEqual([21]);
});

test.each<[string, string[] | undefined]>([
  ['null', []],
  ['{}', []],
  ['{"batchItemFailures":null}', []],
  ['{"batchItemFailures":[{"itemIdentifier":"a"}]}', ['a']],
  ['{"batchItemFailures":[{"itemIdentifier":""}]}', undefined],
  ['{"batchItemFailures":[{"itemIdentifier":null}]}', undefined],
  ['{"batchItemFailures":"a"}', undefined],
  ['"text"', []],
])('readBatchItemFailures of %s', (payload, expected) => {
  const failures = readBatchItemFailures(payload);
  expect(failures === undefined ? undefined : [...failures]).toEqual(expected);
});
