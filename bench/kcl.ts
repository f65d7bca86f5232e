/**
 * How fast consumer/kcl fetches and splits, beside what one would write without it, in one run:
 * `node --import tsx bench/kcl.ts [rounds]`.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { kinesisFromSdk } from '../consumer/kcl/adapters/kinesis-sdk';
import { deaggregate } from '../consumer/kcl/retrieval/kpl/deaggregate';
import { compare, table, type Contender } from './measure';
import { aggregateOf, reading, RECORDS_PER_RESPONSE } from './records';

const USER_RECORDS = 100;
const AGGREGATES = 100;

async function startServer(): Promise<{ endpoint: string; stop: () => void }> {
  const child = fork(path.join(__dirname, 'kinesis-server.ts'), { execArgv: ['--import', 'tsx'] });
  const port = await new Promise<unknown>((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { endpoint: `http://127.0.0.1:${String(port)}`, stop: () => child.disconnect() };
}

/** Both contenders end with each record's payload as bytes, its keys and its time; the sums show that they are the same. */
async function fetchAndSplit(rounds: number): Promise<string> {
  const server = await startServer();
  const client = new KinesisClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'any' },
  });
  const kinesis = kinesisFromSdk(client);
  const sums = [0, 0];
  const plain: Contender = {
    name: 'client-kinesis GetRecords loop',
    run: async () => {
      const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator: 'i', Limit: 10_000 }));
      for (const { Data } of Records) sums[0] = (sums[0]! + Data!.length * Data![Data!.length >> 1]!) % 1e9;
      return Records.length;
    },
  };
  const own: Contender = {
    name: 'consumer/kcl',
    run: async () => {
      const { records } = await kinesis.getRecords({ shardIterator: 'i', limit: 10_000 });
      for (const { data } of records) sums[1] = (sums[1]! + data.length * data[data.length >> 1]!) % 1e9;
      return records.length;
    },
  };
  try {
    const results = await compare([plain, own], rounds, 3);
    if (sums[0] !== sums[1]) throw new Error('the two did not read the same payloads');
    return table(`Fetch and split: ${RECORDS_PER_RESPONSE} records a response, over loopback`, results);
  } finally {
    client.destroy();
    server.stop();
  }
}

/** There is no peer for this among the dependencies; the format's checksum alone is the least that a reader can do. */
async function split(rounds: number): Promise<string> {
  const data = aggregateOf(Array.from({ length: USER_RECORDS }, (_, index) => reading(index)));
  const record = { sequenceNumber: '1', partitionKey: 'a', data, approximateArrivalTimestamp: 0 };
  const range = { from: 0n, to: (1n << 128n) - 1n };
  let digests = 0;
  const checksum: Contender = {
    name: 'MD5 of the aggregates alone',
    run: async () => {
      for (let i = 0; i < AGGREGATES; i++) digests += createHash('md5').update(data).digest().length;
      return AGGREGATES * USER_RECORDS;
    },
  };
  const own: Contender = {
    name: 'consumer/kcl, MD5 checked',
    run: async () => {
      let records = 0;
      for (let i = 0; i < AGGREGATES; i++) records += deaggregate(record, range).length;
      if (records !== AGGREGATES * USER_RECORDS) throw new Error('the aggregates were not split');
      return records;
    },
  };
  const results = await compare([checksum, own], rounds, 10);
  if (digests === 0) throw new Error('no digest was made');
  return table(`KPL de-aggregation: ${USER_RECORDS} user records an aggregate (a floor, not a peer)`, results);
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 15);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new Error('rounds must be a whole number from 1');
  console.log(await fetchAndSplit(rounds));
  console.log(await split(rounds));
  console.log(
    'Medians of interleaved rounds, CPU time of this process. On a shared machine the figures of one row may differ by a third\n' +
      'from run to run and the ratios by a tenth; where "rounds differ by" exceeds 2x, run again.',
  );
}

void main();
