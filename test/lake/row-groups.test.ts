/** A fold task of a large segment reads only the row groups that hold its devices. */
import { bucketOf, hashDevice } from '../../consumer/readings/hash';
import { Batch } from '../../consumer/lake/append/batch';
import { buildCut } from '../../consumer/lake/append/cut';
import { loadRows } from '../../consumer/lake/fold/rows';
import { ROW_GROUP_ROWS } from '../../consumer/lake/parquet';
import { MemoryObjects } from './support/memory-stores';
import { BASE, enveloped, schemas } from './support/telemetry';
import type { DecodedReading } from '../../consumer/readings/decode';

test('the buckets of a segment of several row groups add up to it, and a task reads no more than it needs', async () => {
  const schema = schemas.get('test-case')!;
  const batch = new Batch();
  const count = ROW_GROUP_ROWS + 15_000;
  batch.beginRecord(enveloped({}));
  const values = Float64Array.of(1, NaN, NaN);
  for (let element = 0; element < count; element++) {
    const device = `device-${element % 100}`;
    const reading: DecodedReading = {
      schema,
      device,
      deviceHash: hashDevice(device),
      eventTime: BASE + element,
      received: BASE,
      element,
      messageId: null,
      hashHigh: element,
      hashLow: 0,
      values,
    };
    batch.reading(reading);
  }
  batch.endRecord(count, undefined);
  const cut = buildCut(batch, { shardId: 's', start: 'TRIM_HORIZON', id: 'i', codeVersion: 'v', gap: false });
  const [segment] = cut.pending.segments;
  expect(segment!.rowGroups.map(({ rows }) => rows)).toEqual([ROW_GROUP_ROWS, 15_000]);
  const objects = new MemoryObjects();
  await objects.create(segment!.key, cut.objects[0]!.body, {});
  let rows = 0;
  let bytes = 0;
  const counting = {
    get: async (key: string, range?: { start: number; end: number }) => {
      const read = await objects.get(key, range);
      bytes += read!.length;
      return read;
    },
  };
  const buckets = 2;
  for (let bucket = 0; bucket < buckets; bucket++) {
    bytes = 0;
    const loaded = await loadRows(counting, schema, [segment!], {
      hashes: { first: Math.floor((bucket * 2 ** 32) / buckets), last: Math.ceil(((bucket + 1) * 2 ** 32) / buckets) },
      accept: (device) => bucketOf(hashDevice(device), buckets) === bucket,
    });
    expect(new Set(loaded.device.map((device) => bucketOf(hashDevice(device), buckets)))).toEqual(new Set([bucket]));
    rows += loaded.count;
    if (bucket === 0) expect(bytes).toBeLessThan(segment!.bytes);
  }
  expect(rows).toBe(count);
});
