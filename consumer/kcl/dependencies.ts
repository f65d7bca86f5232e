/**
 * Everything the library needs from outside: clients, clock, randomness, log and metrics.
 * No file of the library but those in adapters/ touches an SDK type, a timer or a source of randomness, so a test or a
 * simulator runs the library as it is.
 */
import type { HashKeyRange } from './common/hash-key-range';
import type { FanOutApi } from './retrieval/fanout/fan-out-api';
import type { LeaseHolder, LeaseHolderSettings } from './leases/lease-holder';

/** Time. Two clocks of one process: `now` may jump, `monotonic` may not. */
export interface Clock {
  /** Epoch milliseconds. Only for what is written for people and for AT_TIMESTAMP; never for expiry. */
  now(): number;
  /** Milliseconds of a clock that never goes back, the same in every thread of the process. */
  monotonic(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts (it does not reject; the caller looks at the signal). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms`, unless the function that it returns is called before. */
  after(ms: number, action: () => void): () => void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The only fields the library logs. Payloads, partition keys and iterators are not among them. */
export interface LogFields {
  readonly workerId?: string;
  readonly shardId?: string;
  readonly leaseOwner?: string | undefined;
  readonly leaseCounter?: number;
  readonly sequenceNumber?: string;
  readonly subSequenceNumber?: number;
  readonly state?: string;
  readonly reason?: string;
  readonly attempt?: number;
  readonly count?: number;
  readonly millis?: number;
  /** Name and message of an error. */
  readonly error?: string;
}

/** `event` is a short constant sentence; what varies is in `fields`. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

export type MetricUnit = 'Count' | 'Milliseconds' | 'Bytes' | 'None';
export type MetricDimension = 'ShardId' | 'WorkerIdentifier' | 'StreamId';

/** One operation's measurements under KCL's names; `end` publishes them. */
export interface MetricsScope {
  add(name: string, value: number, unit: MetricUnit): void;
  dimension(name: MetricDimension, value: string): void;
  end(): void;
}

export interface MetricsFactory {
  /** @param operation KCL's operation name, such as `ProcessTask` or `RenewAllLeases`. */
  scope(operation: string): MetricsScope;
}

export interface KinesisRecord {
  readonly sequenceNumber: string;
  readonly partitionKey: string;
  readonly data: Uint8Array;
  /** Epoch milliseconds. */
  readonly approximateArrivalTimestamp: number;
}

export interface KinesisShard {
  readonly shardId: string;
  readonly parentShardId?: string;
  readonly adjacentParentShardId?: string;
  readonly hashKeyRange: HashKeyRange;
  readonly startingSequenceNumber: string;
  /** Absent while the shard is open. */
  readonly endingSequenceNumber?: string;
}

export interface ChildShard {
  readonly shardId: string;
  readonly parentShards: readonly string[];
  readonly hashKeyRange: HashKeyRange;
}

export type ShardFilter =
  { readonly type: 'AT_TRIM_HORIZON' | 'AT_LATEST' } | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: number };

export type IteratorPosition =
  | { readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER'; readonly sequenceNumber: string }
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: number };

export interface GetRecordsResult {
  readonly records: readonly KinesisRecord[];
  /** Absent at the end of a closed shard. */
  readonly nextShardIterator?: string;
  readonly millisBehindLatest: number;
  readonly childShards: readonly ChildShard[];
  /** The response's Date header, epoch milliseconds (whole seconds). */
  readonly date?: number;
}

/**
 * What the library calls of Kinesis Data Streams. Errors carry the service's error name in `name`
 * (`ProvisionedThroughputExceededException`, `ExpiredIteratorException`, `ResourceNotFoundException`, …).
 */
export interface KinesisApi {
  listShards(
    input: { readonly streamName: string; readonly nextToken?: string; readonly filter?: ShardFilter },
    signal?: AbortSignal,
  ): Promise<{ readonly shards: readonly KinesisShard[]; readonly nextToken?: string }>;
  getShardIterator(
    input: { readonly streamName: string; readonly shardId: string; readonly position: IteratorPosition },
    signal?: AbortSignal,
  ): Promise<string>;
  getRecords(
    input: { readonly shardIterator: string; readonly limit: number },
    signal?: AbortSignal,
  ): Promise<GetRecordsResult>;
  /** Needed where the configuration has a `consumerArn`. */
  readonly fanOut?: FanOutApi;
}

/** DynamoDB's own shape; exactly one member is set. */
export interface AttributeValue {
  readonly S?: string;
  readonly N?: string;
  readonly B?: Uint8Array;
  readonly SS?: readonly string[];
  readonly L?: readonly AttributeValue[];
  readonly M?: Readonly<Record<string, AttributeValue>>;
  readonly BOOL?: boolean;
  readonly NULL?: boolean;
}

export type Item = Readonly<Record<string, AttributeValue>>;

export interface ExpressionInput {
  readonly TableName: string;
  readonly ConditionExpression?: string;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>>;
  readonly ExpressionAttributeValues?: Item;
  /** On a failed condition the error carries the row as it is in `Item`. */
  readonly ReturnValuesOnConditionCheckFailure?: 'ALL_OLD';
}

export interface UpdateItemInput extends ExpressionInput {
  readonly Key: Item;
  readonly UpdateExpression: string;
  readonly ReturnValues?: 'ALL_NEW';
}

export interface TableDescription {
  readonly status: string;
  readonly keySchema: readonly { readonly name: string; readonly keyType: string; readonly attributeType?: string }[];
  readonly indexes: readonly {
    readonly name: string;
    readonly status?: string;
    readonly keySchema: readonly { readonly name: string; readonly keyType: string }[];
  }[];
}

/** What the library calls of DynamoDB, in DynamoDB's own request shapes. Errors carry the service's error name in `name`. */
export interface DynamoDbApi {
  getItem(
    input: { readonly TableName: string; readonly Key: Item; readonly ConsistentRead?: boolean },
    signal?: AbortSignal,
  ): Promise<{ readonly Item?: Item }>;
  putItem(input: ExpressionInput & { readonly Item: Item }, signal?: AbortSignal): Promise<void>;
  updateItem(input: UpdateItemInput, signal?: AbortSignal): Promise<{ readonly Attributes?: Item }>;
  deleteItem(input: ExpressionInput & { readonly Key: Item }, signal?: AbortSignal): Promise<void>;
  scan(
    input: {
      readonly TableName: string;
      readonly ConsistentRead?: boolean;
      readonly ExclusiveStartKey?: Item;
      readonly Segment?: number;
      readonly TotalSegments?: number;
    },
    signal?: AbortSignal,
  ): Promise<{ readonly Items: readonly Item[]; readonly LastEvaluatedKey?: Item }>;
  /** Of an index; always eventually consistent. */
  query(
    input: ExpressionInput & {
      readonly IndexName: string;
      readonly KeyConditionExpression: string;
      readonly ExclusiveStartKey?: Item;
    },
    signal?: AbortSignal,
  ): Promise<{ readonly Items: readonly Item[]; readonly LastEvaluatedKey?: Item }>;
  describeTable(input: { readonly TableName: string }, signal?: AbortSignal): Promise<TableDescription>;
}

/** What a {@link LeaseHolderFactory} is given. */
export interface LeaseHolderContext {
  readonly log: Log;
  readonly uuid: () => string;
  readonly metrics: MetricsFactory;
  readonly onLost: (leaseKey: string, concurrencyToken: string) => void;
  /** Called when a leader of KCL 3 asks this worker to hand a lease over; what is held shows it by its `checkpointOwner`. */
  readonly onHandoff: () => void;
}

/** Makes a holder that renews elsewhere than in the worker's own event loop; undefined where it cannot here. */
export type LeaseHolderFactory = (
  settings: LeaseHolderSettings,
  context: LeaseHolderContext,
) => LeaseHolder | undefined;

/** One of KCL's worker metrics: how busy the machine or the task is. */
export interface WorkerMetric {
  /** KCL's WorkerMetricType: C cpu, M memory, NI and NO network. */
  readonly shortName: 'C' | 'M' | 'NI' | 'NO';
  /** Utilisation in percent above which a leader takes leases from this worker, 1…100. */
  readonly maxUtilization: number;
  /** Mean utilisation in percent since the last call, 0…100. A rejection is reported as −1, and the worker gets no leases meanwhile. */
  capture(): Promise<number>;
}

export interface Dependencies {
  readonly kinesis: KinesisApi;
  readonly dynamodb: DynamoDbApi;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly uuid: () => string;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** @default renewals in the worker's own event loop */
  readonly leaseHolder?: LeaseHolderFactory;
  /** For a leader of KCL 3. @default none: the leader goes by the throughput of the worker's leases */
  readonly workerMetrics?: readonly WorkerMetric[];
}
