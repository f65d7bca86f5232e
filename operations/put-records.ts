/** Puts records on the stream, all of them. */
import { PutRecordsCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import type { PutRecords, RetryRecord } from './quarantine';

/** PutRecords takes 500 records and 5 MiB a call, partition keys included. */
const MAXIMUM_RECORDS = 500;
const MAXIMUM_BYTES = 5 * 1024 * 1024;
const ATTEMPTS = 10;
const WAIT_MS = 200;

/** @param sleep milliseconds */
export function putRecords(
  kinesis: Pick<KinesisClient, 'send'>,
  StreamName: string,
  sleep: (ms: number) => Promise<void>,
): PutRecords {
  return async (records) => {
    for (const chunk of chunks(records)) {
      let left = chunk;
      for (let attempt = 1; left.length > 0; attempt++) {
        const { Records = [] } = await kinesis.send(
          new PutRecordsCommand({
            StreamName,
            Records: left.map(({ data, partitionKey }) => ({ Data: data, PartitionKey: partitionKey })),
          }),
        );
        const refused = left.filter((_, at) => Records[at]?.SequenceNumber === undefined);
        if (refused.length > 0 && attempt === ATTEMPTS) {
          const code = Records.find(({ ErrorCode }) => ErrorCode !== undefined)?.ErrorCode ?? 'no sequence number';
          throw new Error(`the stream refused ${refused.length} records ${ATTEMPTS} times: ${code}`);
        }
        if (refused.length > 0) await sleep(WAIT_MS * attempt);
        left = refused;
      }
    }
  };
}

function* chunks(records: readonly RetryRecord[]): Generator<RetryRecord[]> {
  let chunk: RetryRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.data.byteLength + Buffer.byteLength(record.partitionKey);
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
