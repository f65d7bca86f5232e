import {
  readQuarantine,
  retry,
  retryRecord,
  type QuarantineGroup,
  type RetryRecord,
} from '../../operations/quarantine';
import type { QuarantineEntry } from '../../lib/contracts/documents';
import { BASE, decoder, raw } from '../lake/support/telemetry';
import { LakeBench, SHARDS } from './support/lake';

async function groups(bench: LakeBench, reason?: string): Promise<QuarantineGroup[]> {
  const found: QuarantineGroup[] = [];
  for await (const group of readQuarantine(bench, { useCase: 'test-case', ...(reason ? { reason } : {}) }))
    found.push(group);
  return found;
}

test('entries are counted by object and reason, and a retry is remembered', async () => {
  const bench = await LakeBench.sealed();
  const found = await groups(bench);
  expect(found.map(({ reason, hour, entries }) => [reason, hour, entries.length])).toEqual([
    ['malformed_json', '2026-03-04T02', 1],
    ['malformed_json', '2026-03-04T02', 1],
  ]);
  expect(await groups(bench, 'clock_skew')).toEqual([]);

  const put: RetryRecord[] = [];
  await retry(bench.registry, found[0]!, async (records) => void put.push(...records), 77);
  expect(put.map(({ partitionKey }) => partitionKey)).toEqual([found[0]!.entries[0]!.device]);
  expect((await groups(bench)).map(({ retriedAt }) => retriedAt)).toEqual([77, undefined]);
});

test('a put that fails leaves the group as it was', async () => {
  const bench = await LakeBench.sealed();
  const [group] = await groups(bench);
  const refuse = (): Promise<void> => Promise.reject(new Error('throttled'));
  await expect(retry(bench.registry, group!, refuse, 77)).rejects.toThrow('throttled');
  expect((await groups(bench))[0]!.retriedAt).toBeUndefined();
});

describe('a retried record gives the decoder the same bytes, topic, device and time as the first time', () => {
  const first = (data: string): QuarantineEntry[] => {
    const entries: QuarantineEntry[] = [];
    decoder(SHARDS[0]!.shardId).decode(raw(data), { reading: () => true, quarantine: (entry) => entries.push(entry) });
    return entries;
  };
  const envelope = (payload: string, topic = 'dt/test-case/sensor-1'): string =>
    JSON.stringify({ payload: Buffer.from(payload).toString('base64'), topic, device: 'sensor-1', received: BASE });
  const cases: [string, string, number][] = [
    ['a payload', envelope('{"temperature": 1'), 1],
    [
      'elements of an array',
      envelope(JSON.stringify([{ timestamp: BASE }, { timestamp: BASE, temperature: 2 }, 7])),
      2,
    ],
    ['a topic of no use case', envelope('{}', 'dt/other/sensor-1'), 1],
    ['another device than the topic’s', envelope('{}', 'dt/test-case/sensor-2'), 1],
    ['no envelope', 'hello', 1],
    [
      'a payload that is no base64',
      JSON.stringify({ payload: '%', topic: 'dt/test-case/s', device: 's', received: 1 }),
      1,
    ],
  ];
  test.each(cases)('%s', (_, data, count) => {
    const entries = first(data);
    expect(entries).toHaveLength(count);
    for (const entry of entries) {
      const again = first(Buffer.from(retryRecord(entry).data).toString());
      expect(again).toEqual([{ ...entry, element: 0 }]);
    }
  });
});
