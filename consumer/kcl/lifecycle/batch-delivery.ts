/** Hands a shard's batches to its processor: until they succeed, or by a policy until the record that cannot be processed is found. */
import type { Clock, Log, MetricsFactory } from '../dependencies';
import type { RecordProcessorCheckpointer } from '../checkpoint/record-processor-checkpointer';
import { compareExtended, type ExtendedSequenceNumber } from '../common/extended-sequence-number';
import { describeError } from '../common/errors';
import type { FailurePolicy, KinesisClientRecord, ShardRecordProcessor } from '../processor';
import type { ShardHashRange } from '../retrieval/kpl/deaggregate';
import type { RetrievedBatch } from '../retrieval/records-publisher';
import { measureBatch, recordsToDeliver } from './tasks/process-task';

export interface BatchDeliveryOptions {
  readonly shardId: string;
  readonly processor: ShardRecordProcessor;
  readonly checkpointer: RecordProcessorCheckpointer;
  readonly range: ShardHashRange;
  readonly callForEmptyList: boolean;
  readonly failurePolicy?: FailurePolicy | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsFactory;
  /** True when the consumer must go on to its shutdown. */
  readonly stops: () => boolean;
  readonly stamp: () => void;
  readonly pauseAfter: (event: string, error: unknown, attempt: number) => Promise<void>;
}

type Outcome = { readonly done: true } | { readonly done: false; readonly error?: unknown };

const endOf = (records: readonly KinesisClientRecord[]): ExtendedSequenceNumber | undefined => {
  const last = records.at(-1);
  return last && { sequenceNumber: last.sequenceNumber, subSequenceNumber: last.subSequenceNumber };
};

export class BatchDelivery {
  /** Position of the last record that is done with, or the start. */
  private after: ExtendedSequenceNumber | undefined;

  constructor(private readonly options: BatchDeliveryOptions) {}

  /** Records at or before this position are left out. */
  startAfter(position: ExtendedSequenceNumber | undefined): void {
    this.after = position;
  }

  /** @returns false when the consumer must stop first; what was not done then counts as never delivered */
  async deliver(batch: RetrievedBatch): Promise<boolean> {
    const records = recordsToDeliver(batch, this.options.range, this.after);
    if (records.length === 0 && !this.options.callForEmptyList) return true;
    const parts: (readonly KinesisClientRecord[])[] = [records];
    for (let part = parts.shift(); part; part = parts.shift()) {
      const outcome = await this.deliverPart(batch, part, parts.length === 0);
      if (outcome.done) continue;
      if (outcome.error === undefined) return false;
      const middle = part.length >> 1;
      if (middle > 0) parts.unshift(part.slice(0, middle), part.slice(middle));
      else if (!(await this.handOver(part[0] as KinesisClientRecord, outcome.error))) return false;
    }
    return true;
  }

  /** An `error` in the outcome means that the policy's attempts are used up. */
  private async deliverPart(
    batch: RetrievedBatch,
    records: readonly KinesisClientRecord[],
    isLast: boolean,
  ): Promise<Outcome> {
    const { checkpointer, processor, failurePolicy, metrics, clock, shardId } = this.options;
    const { millisBehindLatest, serviceTime } = batch;
    const attempts = records.length > 0 && failurePolicy ? failurePolicy.maxAttempts : Infinity;
    const before = checkpointer.largestPermitted;
    const end = endOf(records);
    // The read that ends a shard says nothing of the time: it may be long after the end, when children have records.
    const atTip = batch.atTip && isLast && batch.childShards === undefined;
    const input = { records, millisBehindLatest, serviceTime, atTip, checkpointer };
    for (let attempt = 0; !this.options.stops(); attempt++) {
      this.options.stamp();
      const scope = metrics.scope('ProcessTask');
      scope.dimension('ShardId', shardId);
      const started = clock.monotonic();
      try {
        if (end) checkpointer.setLargestPermitted(end);
        await processor.processRecords(input);
        measureBatch(scope, batch, records);
        const application = metrics.scope('ApplicationTracker');
        application.add('MillisBehindLatest', millisBehindLatest, 'Milliseconds');
        application.end();
        scope.add('Success', 1, 'Count');
        if (end) this.after = end;
        return { done: true };
      } catch (error) {
        scope.add('Success', 0, 'Count');
        // What failed must not be covered by a checkpoint that the processor makes at shutdown.
        checkpointer.setLargestPermitted(before);
        await this.options.pauseAfter('processRecords threw; the same records are delivered again', error, attempt);
        if (attempt + 1 >= attempts) return { done: false, error };
      } finally {
        scope.add('RecordProcessor.processRecords.Time', clock.monotonic() - started, 'Milliseconds');
        scope.end();
      }
    }
    return { done: false };
  }

  /** A record that failed alone goes to the policy; only when that took it is it done with. */
  private async handOver(record: KinesisClientRecord, cause: unknown): Promise<boolean> {
    const { failurePolicy, checkpointer, log, shardId, stops } = this.options;
    for (let attempt = 0; !stops(); attempt++) {
      this.options.stamp();
      try {
        await failurePolicy?.onPoison({ shardId, record, error: cause });
        const { sequenceNumber, subSequenceNumber } = record;
        log('error', 'a record cannot be processed and was handed over', {
          shardId,
          sequenceNumber,
          subSequenceNumber,
          error: describeError(cause),
        });
        this.after = { sequenceNumber, subSequenceNumber };
        if (compareExtended(this.after, checkpointer.largestPermitted) > 0)
          checkpointer.setLargestPermitted(this.after);
        return true;
      } catch (error) {
        await this.options.pauseAfter('onPoison threw and is called again', error, attempt);
      }
    }
    return false;
  }
}
