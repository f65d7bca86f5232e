/**
 * Kinesis Data Streams in process: the API that producers, KCL consumers and CloudFormation call, its limits, its
 * errors, durable on disk. Knows nothing of HTTP.
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html
 */
import { EventStreamOutput } from '../../gateway/event-stream';
import { AwsError, ResponseDropped } from '../../gateway/service';
import type { Caller, Clock, JsonService } from '../../gateway/service';
import { consumerOperations } from './operations-consumers';
import { recordOperations } from './operations-records';
import { shardOperations } from './operations-shards';
import { streamOperations } from './operations-streams';
import { tagOperations } from './operations-tags';
import { KinesisState } from './state';
import type { Limits, Operations } from './state';
import { Subscriptions } from './subscribe';
import type { SubscribeToShardEvent } from './subscribe';

const operations: Operations = {
  ...streamOperations,
  ...shardOperations,
  ...recordOperations,
  ...consumerOperations,
  ...tagOperations,
};

export interface KinesisEngineOptions {
  readonly clock: Clock;
  /** Directory of the streams' journals; without one they live in memory only. */
  readonly journalPath?: string;
  /** @default 'enforced' */
  readonly limits?: Limits;
  /** How long streams and consumers stay CREATING and streams UPDATING, milliseconds. @default 0 */
  readonly statusDelayMs?: number;
  /**
   * Asked before every call: an error is thrown instead of it; `drop-response` lets the call take effect and loses
   * its answer.
   */
  readonly faults?: (
    operation: string,
    input: Readonly<Record<string, unknown>>,
  ) => AwsError | 'drop-response' | undefined;
}

export class KinesisEngine implements JsonService {
  readonly name = 'kinesis';
  readonly protocol = 'json-1.1';
  readonly cbor = {
    blobs: new Set(['Data']),
    timestamps: new Set(['ApproximateArrivalTimestamp', 'ConsumerCreationTimestamp', 'StreamCreationTimestamp']),
  };
  /** Records since the start: put on streams, and given out by GetRecords. */
  readonly counts = { put: 0, read: 0 };
  private readonly state: KinesisState;
  private readonly subscriptions: Subscriptions;

  constructor(private readonly options: KinesisEngineOptions) {
    const { clock, limits = 'enforced', statusDelayMs = 0, journalPath } = options;
    this.state = new KinesisState(clock, limits, statusDelayMs, journalPath);
    this.subscriptions = new Subscriptions(this.state);
  }

  /**
   * What the response confirms is on disk before it resolves.
   * @throws AwsError as the API documents; ResponseDropped where a fault says so.
   */
  async call(operation: string, input: Record<string, unknown>, caller?: Caller): Promise<unknown> {
    if (operation === 'SubscribeToShard') {
      return new EventStreamOutput('SubscribeToShardEvent', this.subscribeToShard(input, caller));
    }
    const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (run === undefined)
      throw new AwsError('UnknownOperationException', `The local Kinesis has no operation ${operation}`);
    const fault = this.options.faults?.(operation, input);
    if (fault instanceof AwsError) throw fault;
    this.state.sweep();
    const output = run(this.state, input);
    this.count(operation, output as CountedOutput);
    const changed = this.state.takeChanged();
    await Promise.all(changed.writes);
    for (const stream of changed.streams) this.subscriptions.notify(stream);
    if (fault === 'drop-response') throw new ResponseDropped(operation);
    return output;
  }

  /**
   * Enhanced fan-out. Dispose of the iterator where the reader goes away.
   * @throws AwsError as the API documents, at the call; from the iterator once a later subscription takes over.
   */
  subscribeToShard(
    input: Record<string, unknown>,
    _caller?: Caller,
  ): AsyncGenerator<SubscribeToShardEvent, void, void> {
    const fault = this.options.faults?.('SubscribeToShard', input);
    if (fault instanceof AwsError) throw fault;
    if (fault === 'drop-response') throw new ResponseDropped('SubscribeToShard');
    return this.subscriptions.subscribe(input);
  }

  private count(operation: string, output: CountedOutput): void {
    const records = output.Records?.length ?? 0;
    if (operation === 'PutRecord') this.counts.put += 1;
    else if (operation === 'PutRecords') this.counts.put += records - (output.FailedRecordCount ?? 0);
    else if (operation === 'GetRecords') this.counts.read += records;
  }

  /** Releases the journals. */
  close(): void {
    this.state.storage.close();
  }
}

interface CountedOutput {
  readonly Records?: readonly unknown[];
  readonly FailedRecordCount?: number;
}
