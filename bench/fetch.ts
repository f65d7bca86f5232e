/** Fetch and split of GetRecords responses, beside what one would write with the client alone. */
import { fork } from 'node:child_process';
import path from 'node:path';
import { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { kinesisFromSdk } from '../consumer/kcl/adapters/kinesis-sdk';
import { compare, READING, resultLines } from './measure';
import { RECORDS_PER_RESPONSE } from './records';
import type { Section } from './section';

const CALLS = 3;

async function startServer(): Promise<{ endpoint: string; stop: () => void }> {
  const child = fork(path.join(__dirname, 'kinesis-server.ts'), { execArgv: ['--import', 'tsx'] });
  const port = await new Promise<unknown>((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { endpoint: `http://127.0.0.1:${String(port)}`, stop: () => child.disconnect() };
}

/** All contenders end with each record's payload as bytes, its keys and its time. */
export const fetchSection: Section = {
  name: 'fetch',
  run: async ({ rounds, progress }) => {
    progress(`${rounds} rounds of ${CALLS} responses for each contender`);
    const server = await startServer();
    const settings = {
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'any' },
    };
    const client = new KinesisClient(settings);
    const http1Client = new KinesisClient({ ...settings, requestHandler: new NodeHttpHandler() });
    const kinesis = kinesisFromSdk(client);
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
        { name: 'client-kinesis GetRecords loop', run: plain(client) },
        { name: 'the same, over HTTP/1.1', run: plain(http1Client) },
        { name: 'consumer/kcl', run: own },
      ];
      const results = await compare(contenders, rounds, CALLS);
      return {
        title: `Fetch and split: ${RECORDS_PER_RESPONSE} records a response, over loopback`,
        lines: [...resultLines(results), ...READING],
        results,
      };
    } finally {
      client.destroy();
      http1Client.destroy();
      server.stop();
    }
  },
};
