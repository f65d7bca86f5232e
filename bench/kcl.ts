/**
 * How fast consumer/kcl fetches and splits, beside what one would write without it, in one run:
 * `node --import tsx bench/kcl.ts [rounds]`.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
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

/** All contenders end with each record's payload as bytes, its keys and its time; the sums show that they are the same. */
async function fetchAndSplit(rounds: number): Promise<string> {
  const server = await startServer();
  const settings = {
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'any' },
  };
  const client = new KinesisClient(settings);
  const http1Client = new KinesisClient({ ...settings, requestHandler: new NodeHttpHandler() });
  const kinesis = kinesisFromSdk(client);
  const sums = new Set<number>();
  const contender = (name: string, read: () => Promise<readonly Uint8Array[]>): Contender => ({
    name,
    run: async () => {
      const payloads = await read();
      let sum = 0;
      for (const data of payloads) sum = (sum + data.length * (data[data.length >> 1] as number)) % 1e9;
      sums.add(sum);
      return payloads.length;
    },
  });
  const plain = (from: KinesisClient) => async () => {
    const { Records = [] } = await from.send(
      new GetRecordsCommand({ ShardIterator: 'i', Limit: RECORDS_PER_RESPONSE }),
    );
    return Records.map(({ Data }) => Data as Uint8Array);
  };
  const own = async () => {
    const { records } = await kinesis.getRecords({ shardIterator: 'i', limit: RECORDS_PER_RESPONSE });
    return records.map(({ data }) => data);
  };
  try {
    const contenders = [
      contender('client-kinesis GetRecords loop', plain(client)),
      contender('the same, over HTTP/1.1', plain(http1Client)),
      contender('consumer/kcl', own),
    ];
    const results = await compare(contenders, rounds, 3);
    if (sums.size !== 1) throw new Error('the contenders did not read the same payloads');
    return table(`Fetch and split: ${RECORDS_PER_RESPONSE} records a response, over loopback`, results);
  } finally {
    client.destroy();
    http1Client.destroy();
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
