import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Harness, holeIn } from './support';

const HALF = 2n ** 127n;
let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'kinesis-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const start = (shards: number) => Harness.start(shards, { journalPath: directory });

test('after a restart streams, shards, records, consumers and tags are as they were, and numbers go on growing', async () => {
  const harness = await start(2);
  await harness.put('a', 'k', 0n);
  await harness.split(0, HALF / 2n);
  const { SequenceNumber } = await harness.put('b', 'k', 0n);
  await harness.call('AddTagsToStream', { StreamName: 's', Tags: { team: 'iot' } });
  await harness.call('RegisterStreamConsumer', {
    StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
    ConsumerName: 'app',
  });
  const iterator = await harness.iterator(2, 'AT_SEQUENCE_NUMBER', { StartingSequenceNumber: SequenceNumber });
  const before = await harness.call('DescribeStream', { StreamName: 's' });

  harness.restart();
  expect(await harness.call('DescribeStream', { StreamName: 's' })).toEqual(before);
  expect(await harness.call('ListTagsForStream', { StreamName: 's' })).toMatchObject({
    Tags: [{ Key: 'team', Value: 'iot' }],
  });
  expect(await harness.call('DescribeStreamSummary', { StreamName: 's' })).toMatchObject({
    StreamDescriptionSummary: { ConsumerCount: 1 },
  });
  expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['a']);
  expect((await harness.get(iterator)).Records.map((record) => record.SequenceNumber)).toEqual([SequenceNumber]);
  const next = await harness.put('c', 'k', 0n);
  expect(BigInt(next.SequenceNumber)).toBeGreaterThan(BigInt(SequenceNumber));
  await harness.merge(3, 1);
  expect(holeIn(await harness.shards({ Type: 'AT_LATEST' }))).toBeUndefined();

  harness.restart();
  expect(await harness.read(2, 'TRIM_HORIZON')).toEqual(['b', 'c']);
  expect(holeIn(await harness.shards({ Type: 'AT_LATEST' }))).toBeUndefined();
});

test("what a response confirmed is in the file; a torn last line is nobody's", async () => {
  const harness = await start(1);
  await harness.put('confirmed');
  const file = join(directory, 's.jsonl');
  expect(readFileSync(file, 'utf8')).toContain(Buffer.from('confirmed').toString('base64'));
  // The engine is not closed: as after kill -9, in the middle of a write.
  appendFileSync(file, '{"records":[[0,');
  const again = new (
    harness.engine.constructor as typeof import('../../../local/services/kinesis/engine').KinesisEngine
  )({
    clock: harness.clock,
    journalPath: directory,
  });
  harness.engine.close();
  harness.engine = again;
  expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['confirmed']);
  await harness.put('next');
  harness.restart();
  expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['confirmed', 'next']);
});

test('a deleted stream stays deleted', async () => {
  const harness = await start(1);
  await harness.call('DeleteStream', { StreamName: 's' });
  harness.restart();
  expect(await harness.call('ListStreams')).toMatchObject({ StreamNames: [] });
});

test('expired records leave the file, while running and at the next start', async () => {
  const harness = await start(1);
  const file = join(directory, 's.jsonl');
  const fill = async () => {
    const Records = Array.from({ length: 500 }, (_, index) => ({
      Data: Buffer.alloc(90, index).toString('base64'),
      PartitionKey: 'k',
    }));
    for (let call = 0; call < 24; call++) await harness.call('PutRecords', { StreamName: 's', Records });
  };
  await fill();
  const full = statSync(file).size;
  harness.clock.advance(25 * 3_600_000);
  await harness.put('fresh');
  expect(statSync(file).size).toBeLessThan(full / 10);
  expect(await harness.read(0, 'TRIM_HORIZON')).toEqual(['fresh']);
  await fill();
  harness.clock.advance(25 * 3_600_000);
  const { SequenceNumber } = await (harness.restart(), harness.put('fresher'));
  expect(statSync(file).size).toBeLessThan(full / 10);
  harness.restart();
  const { Records } = await harness.get(await harness.iterator(0, 'TRIM_HORIZON'));
  expect(Records.map((record) => record.SequenceNumber)).toEqual([SequenceNumber]);
});
