/**
 * Event source mapping of an SQS queue: polls, invokes the function with a batch, deletes what it processed. What it did
 * not becomes visible again after the queue's visibility timeout, and goes to the dead-letter queue by the queue's policy.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */
import type { FunctionResult } from './execution-environment';

export interface QueueEventSourceSettings {
  readonly queueArn: string;
  readonly queueUrl: string;
  readonly functionArn: string;
  /** 1–10,000; above 10 several receives make a batch, which takes a batching window. */
  readonly batchSize: number;
  /** Seconds to wait for a batch to fill, 0–300. */
  readonly batchingWindow: number;
  readonly reportBatchItemFailures: boolean;
  /** Invocations at once, 2–1,000. */
  readonly maximumConcurrency: number;
}

export interface QueueMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes?: Readonly<Record<string, string>>;
  readonly MessageAttributes?: Readonly<
    Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>
  >;
}

/** The SQS calls that a poller makes, as the function's role. */
export interface QueueClient {
  receive(queueUrl: string, maximum: number, waitSeconds: number): Promise<readonly QueueMessage[]>;
  delete(queueUrl: string, receiptHandles: readonly string[]): Promise<void>;
}

export interface QueueEventSourceOptions {
  readonly queue: QueueClient;
  readonly invoke: (functionArn: string, payload: string) => Promise<FunctionResult>;
  readonly region: string;
  readonly now: () => number;
  readonly onError: (error: Error) => void;
}

/** SQS gives at most this many messages at a receive. */
const RECEIVE_MAXIMUM = 10;
const LONG_POLL_SECONDS = 20;
const ERROR_PAUSE_MS = 1_000;

export class QueueEventSource {
  private running = true;
  private readonly pollers: Promise<void>[];

  constructor(
    private readonly settings: QueueEventSourceSettings,
    private readonly options: QueueEventSourceOptions,
  ) {
    this.pollers = Array.from({ length: settings.maximumConcurrency }, () => this.poll());
  }

  /** Takes no further batch. Resolves when the batches under way are done; the queue's close ends waiting receives. */
  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.pollers);
  }

  private async poll(): Promise<void> {
    while (this.running) {
      try {
        const batch = await this.collect();
        if (batch.length > 0) await this.process(batch);
      } catch (error) {
        if (!this.running) return;
        this.options.onError(error as Error);
        await new Promise((resolve) => setTimeout(resolve, ERROR_PAUSE_MS));
      }
    }
  }

  private async collect(): Promise<QueueMessage[]> {
    const { queueUrl, batchSize, batchingWindow } = this.settings;
    const receive = (missing: number, wait: number) =>
      this.options.queue.receive(queueUrl, Math.min(missing, RECEIVE_MAXIMUM), wait);
    const batch = [...(await receive(batchSize, LONG_POLL_SECONDS))];
    const deadline = this.options.now() + batchingWindow * 1_000;
    while (batch.length > 0 && batch.length < batchSize && this.running) {
      const wait = Math.ceil((deadline - this.options.now()) / 1_000);
      if (wait <= 0) break;
      batch.push(...(await receive(batchSize - batch.length, Math.min(wait, LONG_POLL_SECONDS))));
    }
    return batch;
  }

  private async process(batch: readonly QueueMessage[]): Promise<void> {
    const { functionArn, queueUrl, reportBatchItemFailures } = this.settings;
    const payload = JSON.stringify({ Records: batch.map((message) => this.record(message)) });
    const result = await this.options.invoke(functionArn, payload);
    const failed =
      'failure' in result
        ? undefined
        : reportBatchItemFailures
          ? readBatchItemFailures(result.payload)
          : new Set<string>();
    if (failed === undefined || [...failed].some((id) => !batch.some(({ MessageId }) => MessageId === id))) return;
    const done = batch.filter(({ MessageId }) => !failed.has(MessageId)).map(({ ReceiptHandle }) => ReceiptHandle);
    for (let from = 0; from < done.length; from += RECEIVE_MAXIMUM) {
      await this.options.queue.delete(queueUrl, done.slice(from, from + RECEIVE_MAXIMUM));
    }
  }

  private record(message: QueueMessage): unknown {
    const attributes = Object.entries(message.MessageAttributes ?? {}).map(
      ([name, { DataType, StringValue, BinaryValue }]) => [
        name,
        {
          stringValue: StringValue,
          binaryValue: BinaryValue,
          stringListValues: [],
          binaryListValues: [],
          dataType: DataType,
        },
      ],
    );
    return {
      messageId: message.MessageId,
      receiptHandle: message.ReceiptHandle,
      body: message.Body,
      attributes: message.Attributes ?? {},
      messageAttributes: Object.fromEntries(attributes),
      md5OfBody: message.MD5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN: this.settings.queueArn,
      awsRegion: this.options.region,
    };
  }
}

/**
 * Message ids that the function could not process. No answer or an empty list is full success; undefined, for an answer of
 * another shape, is full failure.
 */
export function readBatchItemFailures(payload: string): Set<string> | undefined {
  const answer = JSON.parse(payload) as { batchItemFailures?: unknown } | null;
  const failures = answer?.batchItemFailures ?? [];
  if (!Array.isArray(failures)) return undefined;
  const ids = failures.map((item) => (item as { itemIdentifier?: unknown } | null)?.itemIdentifier);
  return ids.every((id): id is string => typeof id === 'string' && id !== '') ? new Set(ids) : undefined;
}
