import { type KinesisClient, PutRecordsCommand, type PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import { describeError, failuresOf, log, type SqsBatchResponse, type SqsEvent } from '../sqs';
import { redrivenRecord } from './envelope';

export interface ErrorRedriveDependencies {
  readonly kinesis: Pick<KinesisClient, 'send'>;
  readonly streamName: string;
  readonly now: () => number;
}

/** PutRecords takes 500 records and 5 MiB a call, partition keys included. */
const MAXIMUM_RECORDS = 500;
const MAXIMUM_BYTES = 5 * 1024 * 1024;

interface Pending {
  readonly messageId: string;
  readonly entry: PutRecordsRequestEntry & { Data: Uint8Array };
}

/** Puts each message's reading on the stream; what is not put stays in the queue. */
export function createHandler({ kinesis, streamName, now }: ErrorRedriveDependencies) {
  return async (event: SqsEvent): Promise<SqsBatchResponse> => {
    const failed = new Set<string>();
    const pending: Pending[] = [];
    for (const { messageId, body, attributes } of event.Records) {
      try {
        const record = redrivenRecord(body, messageId, Number(attributes?.SentTimestamp ?? now()));
        const Data = Buffer.from(JSON.stringify(record.data));
        pending.push({ messageId, entry: { Data, PartitionKey: record.partitionKey } });
      } catch (error) {
        failed.add(messageId);
        log('error', 'message cannot be redriven', { messageId, error: describeError(error) });
      }
    }
    for (const chunk of chunks(pending)) {
      try {
        const { Records = [] } = await kinesis.send(
          new PutRecordsCommand({ StreamName: streamName, Records: chunk.map(({ entry }) => entry) }),
        );
        chunk.forEach(({ messageId }, index) => {
          const code = Records[index]?.ErrorCode;
          if (Records[index]?.SequenceNumber && !code) return;
          failed.add(messageId);
          log('error', 'the stream refused a record', { messageId, error: code ?? 'no sequence number' });
        });
      } catch (error) {
        for (const { messageId } of chunk) failed.add(messageId);
        log('error', 'PutRecords failed', { records: chunk.length, error: describeError(error) });
      }
    }
    log('info', 'redriven', { records: event.Records.length - failed.size, failed: failed.size });
    return failuresOf(failed);
  };
}

function* chunks(pending: readonly Pending[]): Generator<Pending[]> {
  let chunk: Pending[] = [];
  let bytes = 0;
  for (const record of pending) {
    const size = record.entry.Data.byteLength + Buffer.byteLength(record.entry.PartitionKey ?? '');
    if (chunk.length > 0 && (chunk.length === MAXIMUM_RECORDS || bytes + size > MAXIMUM_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
