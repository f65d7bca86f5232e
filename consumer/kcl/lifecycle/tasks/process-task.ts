/** From Kinesis records to what a processor is given. */
import type { MetricsScope } from '../../dependencies';
import { compareExtended, type ExtendedSequenceNumber } from '../../common/extended-sequence-number';
import type { KinesisClientRecord } from '../../processor';
import { deaggregate, type ShardHashRange } from '../../retrieval/kpl/deaggregate';
import type { RetrievedBatch } from '../../retrieval/records-publisher';

/**
 * De-aggregates, and leaves out what is at or before `after`: the first read begins at the record of the checkpoint, which
 * may be an aggregate that was checkpointed in its middle.
 */
export function recordsToDeliver(
  batch: RetrievedBatch,
  range: ShardHashRange,
  after: ExtendedSequenceNumber | undefined,
): KinesisClientRecord[] {
  const delivered: KinesisClientRecord[] = [];
  for (const record of batch.records) {
    for (const user of deaggregate(record, range)) {
      if (after === undefined || compareExtended(user, after) > 0) delivered.push(user);
    }
  }
  return delivered;
}

/** KCL's measurements of a ProcessTask. */
export function measureBatch(
  scope: MetricsScope,
  batch: RetrievedBatch,
  records: readonly KinesisClientRecord[],
): void {
  scope.add('RecordsProcessed', records.length, 'Count');
  scope.add('DataBytesProcessed', batch.bytes, 'Bytes');
  scope.add('MillisBehindLatest', batch.millisBehindLatest, 'Milliseconds');
  const outside = records.filter((record) => record.outsideHashKeyRange).length;
  if (outside > 0) scope.add('RecordsOutsideHashKeyRange', outside, 'Count');
}
