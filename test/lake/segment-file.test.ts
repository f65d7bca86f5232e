import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { Batch } from '../../consumer/lake/append/batch';
import { buildCut } from '../../consumer/lake/append/cut';
import { readSegment } from '../../consumer/lake/segment-file';
import { BASE, decoder, enveloped, schemas } from './support/telemetry';

function batchOf(count: number): Batch {
  const batch = new Batch();
  const decode = decoder();
  for (let at = 0; at < count; at++) {
    const record = enveloped(
      {
        timestamp: BASE + ((at * 7919) % 3_600_000),
        temperature: (at % 100) - 20.5,
        ...(at % 3 === 0 ? {} : { humidity: at % 101 }),
        ...(at % 2 ? { messageId: `m-${at}` } : {}),
      },
      { sequence: at, device: `sensor-${at % 5}`, arrival: BASE + 3_600_000 + at },
    );
    batch.beginRecord(record);
    const { elements, stoppedAt } = decode.decode(record, batch);
    batch.endRecord(elements, stoppedAt);
  }
  return batch;
}

const origin = { shardId: 'shardId-000000000000', start: 'TRIM_HORIZON', id: 'abc', codeVersion: 'v1', gap: false };

test('an independent reader sees the rows, sorted by device hash, device and event time', async () => {
  const cut = buildCut(batchOf(1000), origin);
  const directory = mkdtempSync(join(tmpdir(), 'segment-'));
  try {
    const path = join(directory, 'segment.parquet');
    writeFileSync(path, cut.objects[0]!.body);
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const summary = await connection.runAndReadAll(
      `SELECT count(*)::INT AS n, count(DISTINCT device)::INT AS devices, count(humidity)::INT AS humid, count(message_id)::INT AS ids,
              min(event_time)::VARCHAR AS first, sum(temperature) AS total, min(sequence_number) AS s, count(DISTINCT content_hash)::INT AS hashes FROM '${path}'`,
    );
    expect(summary.getRowObjects()).toEqual([
      {
        n: 1000,
        devices: 5,
        humid: 666,
        ids: 500,
        first: '2026-03-04 00:00:00',
        total: 29_000,
        s: '49000000000000000000',
        hashes: 1000,
      },
    ]);
    const types = await connection.runAndReadAll(
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '${path}')`,
    );
    expect(Object.fromEntries(types.getRows() as [string, string][])).toEqual({
      device: 'VARCHAR',
      event_time: 'TIMESTAMP',
      received: 'TIMESTAMP',
      arrival: 'TIMESTAMP',
      sequence_number: 'VARCHAR',
      sub_sequence_number: 'INTEGER',
      element: 'INTEGER',
      message_id: 'VARCHAR',
      content_hash: 'VARCHAR',
      temperature: 'DOUBLE',
      humidity: 'DOUBLE',
      state: 'DOUBLE',
    });
    const rows = await connection.runAndReadAll(`SELECT device, epoch_ms(event_time)::DOUBLE AS t FROM '${path}'`);
    const list = rows.getRows() as [string, number][];
    const devices = list.map(([device]) => device).filter((device, at, all) => device !== all[at - 1]);
    expect(new Set(devices).size).toBe(devices.length);
    list.forEach(([device, time], at) => {
      if (at > 0 && list[at - 1]![0] === device) expect(time).toBeGreaterThanOrEqual(list[at - 1]![1]);
    });
    connection.closeSync();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('bytes are the same for the same records, and row groups are registered with their hashes', async () => {
  const [a, b] = [buildCut(batchOf(500), origin), buildCut(batchOf(500), origin)];
  expect(Buffer.compare(a.objects[0]!.body, b.objects[0]!.body)).toBe(0);
  expect(a.pending).toEqual(b.pending);
  const [segment] = a.pending.segments;
  expect(segment!.rowGroups).toHaveLength(1);
  expect(segment!.rowGroups[0]).toMatchObject({ rows: 500, offset: 4 });
  expect(segment!.rowGroups[0]!.firstHash).toBeLessThan(segment!.rowGroups[0]!.lastHash);
  const other = buildCut(batchOf(499), origin);
  expect(other.pending.segments[0]!.contentHash).not.toBe(segment!.contentHash);
});

test('a segment reads back with its values, nulls and times, whole and in part', async () => {
  const body = buildCut(batchOf(100), origin).objects[0]!.body;
  const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer;
  const schema = schemas.get('test-case')!;
  const all = await readSegment(file, schema);
  expect(all.rows).toBe(100);
  expect(all.eventTime.every((time) => time >= BASE && time < BASE + 3_600_000)).toBe(true);
  expect(all.values[1]!.filter((value) => value === null)).toHaveLength(34);
  const part = await readSegment(file, schema, 10, 30);
  expect(part.device).toEqual(all.device.slice(10, 30));
  expect(part.values[0]).toEqual(all.values[0]!.slice(10, 30));
  expect(part.messageId).toEqual(all.messageId.slice(10, 30));
});

test('a field that the file lacks reads as null', async () => {
  const body = buildCut(batchOf(3), origin).objects[0]!.body;
  const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer;
  const schema = schemas.get('test-case')!;
  const wider = { ...schema, fields: [...schema.fields, { ...schema.fields[0]!, name: 'added_later' }] };
  const rows = await readSegment(file, wider);
  expect(rows.values[3]).toEqual([null, null, null]);
});
