/** Reads one shard with GetRecords: keeps the iterator, and the place to open a new one at. */
import type { ChildShard, Clock, GetRecordsResult, IteratorPosition, KinesisApi } from '../../dependencies';
import { isSentinel, Sentinel } from '../../common/extended-sequence-number';
import { errorName, InvalidStateError } from '../../common/errors';
import { withTimeout } from '../../common/timing';
import type { StartingPosition } from '../../processor';
import type { ShardDetector } from '../../shards/shard-detector';
import type { RetrievedBatch } from '../records-publisher';

export interface KinesisDataFetcherOptions {
  readonly kinesis: KinesisApi;
  readonly shardDetector: Pick<ShardDetector, 'findChildren'>;
  readonly clock: Clock;
  readonly streamName: string;
  readonly shardId: string;
  readonly maxRecords: number;
  /** Milliseconds. */
  readonly requestTimeout: number;
}

/**
 * AT the position, not after it: the record there may be an aggregate that was checkpointed in its middle. The reader leaves
 * out what it has had already.
 */
export function openAt(start: StartingPosition): IteratorPosition {
  if (start.type !== 'AFTER') return start;
  const { sequenceNumber } = start.position;
  if (!isSentinel(sequenceNumber)) return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber };
  if (sequenceNumber === Sentinel.TRIM_HORIZON) return { type: 'TRIM_HORIZON' };
  throw new InvalidStateError(`A shard cannot be read after ${sequenceNumber}.`);
}

export class KinesisDataFetcher {
  private iterator: string | undefined;
  private position: IteratorPosition | undefined;

  constructor(private readonly options: KinesisDataFetcherOptions) {}

  initialize(start: StartingPosition): void {
    this.position = openAt(start);
    this.iterator = undefined;
  }

  /**
   * One read. After an error the next call continues at the same place.
   * @throws the service's error, RequestTimeoutError, or InvalidStateError for an answer that cannot be
   */
  async getRecords(): Promise<RetrievedBatch> {
    const { clock } = this.options;
    try {
      const shardIterator = (this.iterator ??= await this.open());
      const sentAt = clock.monotonic();
      const result = await withTimeout(clock, this.options.requestTimeout, 'Kinesis GetRecords', (signal) =>
        this.options.kinesis.getRecords({ shardIterator, limit: this.options.maxRecords }, signal),
      );
      return await this.accept(result, Math.ceil(clock.monotonic() - sentAt));
    } catch (error) {
      // An iterator lives for five minutes; and one that the service refuses once it refuses for ever.
      if (errorName(error) === 'ExpiredIteratorException' || errorName(error) === 'InvalidArgumentException') {
        this.iterator = undefined;
      }
      if (errorName(error) === 'ResourceNotFoundException') return this.endIfGone(error);
      throw error;
    }
  }

  private open(): Promise<string> {
    const { kinesis, clock, streamName, shardId, requestTimeout } = this.options;
    const position = this.position;
    if (!position) throw new InvalidStateError(`The reader of shard ${shardId} was not initialized.`);
    return withTimeout(clock, requestTimeout, 'Kinesis GetShardIterator', (signal) =>
      kinesis.getShardIterator({ streamName, shardId, position }, signal),
    );
  }

  private async accept(result: GetRecordsResult, roundTrip: number): Promise<RetrievedBatch> {
    let childShards: readonly ChildShard[] | undefined;
    if (result.nextShardIterator === undefined) {
      childShards = result.childShards.length > 0 ? result.childShards : await this.childrenFromListing();
    }
    this.iterator = result.nextShardIterator;
    const last = result.records.at(-1);
    if (last) this.position = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: last.sequenceNumber };
    return {
      records: result.records,
      bytes: result.records.reduce((sum, record) => sum + record.data.byteLength, 0),
      millisBehindLatest: result.millisBehindLatest,
      // The Date header is written some time after the read; the round trip bounds how long.
      serviceTime: result.date === undefined ? undefined : result.date - roundTrip,
      atTip: result.millisBehindLatest === 0,
      ...(childShards ? { childShards } : {}),
    };
  }

  /** A shard that ends has children; an answer without them is not believed before the listing shows them. */
  private async childrenFromListing(): Promise<readonly ChildShard[]> {
    const { children } = await this.options.shardDetector.findChildren(this.options.shardId);
    if (children.length > 0) return children;
    throw new InvalidStateError(
      `Kinesis says that shard ${this.options.shardId} ended, but neither the response nor ListShards names a child.`,
    );
  }

  /** The stream is there but the shard is not: its records have all expired. A missing stream is an error. */
  private async endIfGone(error: unknown): Promise<RetrievedBatch> {
    const { listed, children } = await this.options.shardDetector.findChildren(this.options.shardId);
    if (listed) throw error;
    return {
      records: [],
      bytes: 0,
      millisBehindLatest: 0,
      serviceTime: undefined,
      atTip: false,
      childShards: children,
    };
  }
}
