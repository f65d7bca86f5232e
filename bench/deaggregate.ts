/** KPL de-aggregation with the format's MD5 checked, beside aws-kinesis-agg. */
import { createHash } from 'node:crypto';
import { deaggregateSync } from 'aws-kinesis-agg';
import { MAX_HASH_KEY } from '../consumer/kcl/common/hash-key-range';
import { deaggregate } from '../consumer/kcl/retrieval/kpl/deaggregate';
import { compare, READING, resultLines, type Contender } from './measure';
import { aggregateOf, partitionKeyOf, reading } from './records';
import type { Section } from './section';

const USER_RECORDS = 100;
const AGGREGATES = 50;
const CALLS = 2;
/** Of a stream of two shards: hash keys have to be looked at. */
const RANGE = { from: 0n, to: MAX_HASH_KEY / 2n };
const HEADER_BYTES = 4;
const DIGEST_BYTES = 16;

/** Of 1,000 devices that send in turn; a hundred of them in each aggregate. */
const AGGREGATES_READ = Array.from({ length: AGGREGATES }, (_, aggregate) =>
  aggregateOf(
    Array.from({ length: USER_RECORDS }, (_, index) => {
      const record = aggregate * USER_RECORDS + index;
      return { partitionKey: partitionKeyOf(record), data: reading(record) };
    }),
  ),
);

/** @param toInput the library takes records as the AWS SDK gives them, and as Lambda does */
function peer(toInput: (data: Buffer) => object, nameOfData: 'Data' | 'data'): () => Promise<readonly Uint8Array[]> {
  const inputs = AGGREGATES_READ.map(toInput);
  return async () => {
    const payloads: Uint8Array[] = [];
    for (const input of inputs) {
      deaggregateSync(input as never, true, (error, records = []) => {
        if (error) throw error;
        for (const record of records as unknown as Record<string, string>[]) {
          payloads.push(Buffer.from(record[nameOfData] as string, 'base64'));
        }
      });
    }
    return payloads;
  };
}

async function own(): Promise<readonly Uint8Array[]> {
  const payloads: Uint8Array[] = [];
  for (const data of AGGREGATES_READ) {
    const record = { sequenceNumber: '1', partitionKey: 'a', data, approximateArrivalTimestamp: 0 };
    for (const user of deaggregate(record, RANGE)) payloads.push(user.data);
  }
  return payloads;
}

/** No reader of the format can do less than this; of the records only their payloads, so that the sums agree. */
function checksumAlone(payloads: readonly Uint8Array[]): () => Promise<readonly Uint8Array[]> {
  return async () => {
    for (const data of AGGREGATES_READ) {
      const message = data.subarray(HEADER_BYTES, data.length - DIGEST_BYTES);
      const digest = createHash('md5').update(message).digest();
      if (!digest.equals(data.subarray(data.length - DIGEST_BYTES))) throw new Error('An aggregate is not sound.');
    }
    return payloads;
  };
}

export const deaggregateSection: Section = {
  name: 'deaggregate',
  run: async ({ rounds, progress }) => {
    progress(`${rounds} rounds of ${CALLS * AGGREGATES} aggregates for each contender`);
    const fromSdk = (Data: Buffer) => ({ Data, PartitionKey: 'a', SequenceNumber: '1' });
    const fromLambda = (data: Buffer) => ({ data: data.toString('base64'), partitionKey: 'a', sequenceNumber: '1' });
    const contenders: Contender[] = [
      { name: 'aws-kinesis-agg, given records of the AWS SDK', run: peer(fromSdk, 'Data') },
      { name: 'aws-kinesis-agg, given records of a Lambda event', run: peer(fromLambda, 'data') },
      { name: 'consumer/kcl, hash keys looked at as well', run: own },
      { name: 'MD5 of the aggregates alone: the floor', run: checksumAlone(await own()) },
    ];
    const results = await compare(contenders, rounds, CALLS);
    return {
      title: `KPL de-aggregation, MD5 checked: ${USER_RECORDS} user records of as many devices an aggregate`,
      lines: [...resultLines(results), ...READING],
      results,
    };
  },
};
