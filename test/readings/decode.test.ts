import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { hashDevice } from '../../consumer/readings/hash';
import { ArrayElements } from '../../consumer/readings/json-scan';
import { Batch } from '../../consumer/lake/append/batch';
import type { KinesisClientRecord } from '../../consumer/kcl/processor';
import { BASE, decoder, enveloped, HOUR, limits, raw } from '../lake/support/telemetry';

const good = { timestamp: BASE, temperature: 20 };
const received = BASE + 1000;

function decode(...records: KinesisClientRecord[]): Batch {
  const batch = new Batch();
  const decoding = decoder();
  for (const record of records) {
    batch.beginRecord(record);
    const { elements, stoppedAt } = decoding.decode(record, batch);
    batch.endRecord(elements, stoppedAt);
  }
  return batch;
}

const rows = (batch: Batch): number =>
  [...batch.partitions.values()].reduce((sum, { columns }) => sum + columns.rows, 0);
const text = (json: object, replace: string, by: string): string => JSON.stringify(json).replace(replace, by);

const BAD_PAYLOADS: [string, string | Uint8Array | object, string, string?][] = [
  ['malformed JSON', '{"timestamp": 1,', 'malformed_json'],
  ['two documents', '{}{}', 'malformed_json'],
  ['a bare NaN', text(good, '20', 'NaN'), 'malformed_json'],
  ['a bare Infinity', text(good, '20', '-Infinity'), 'malformed_json'],
  ['the text NaN', { ...good, temperature: 'NaN' }, 'wrong_type', 'temperature'],
  ['text for a number', { ...good, temperature: '20' }, 'wrong_type', 'temperature'],
  ['a boolean', { ...good, temperature: true }, 'wrong_type', 'temperature'],
  ['an object for a number', { ...good, temperature: {} }, 'wrong_type', 'temperature'],
  ['a fraction for an integer', { ...good, state: 1.5 }, 'wrong_type', 'state'],
  ['above the range', { ...good, temperature: 150.01 }, 'out_of_range', 'temperature'],
  ['below the range', { ...good, temperature: -50.01 }, 'out_of_range', 'temperature'],
  ['a huge number', text(good, '20', '1e308'), 'out_of_range', 'temperature'],
  ['a number beyond doubles', text(good, '20', '1e400'), 'not_finite', 'temperature'],
  ['a missing required field', { timestamp: BASE }, 'missing_field', 'temperature'],
  ['a null required field', { ...good, temperature: null }, 'missing_field', 'temperature'],
  ['no timestamp', { temperature: 1 }, 'missing_field', 'timestamp'],
  ['a timestamp beyond doubles', text(good, String(BASE), '1e999'), 'not_finite', 'timestamp'],
  ['a timestamp in words', { ...good, timestamp: 'yesterday' }, 'wrong_type', 'timestamp'],
  ['a date that is none', { ...good, timestamp: '2026-13-45T00:00:00Z' }, 'wrong_type', 'timestamp'],
  ['a date without a zone', { ...good, timestamp: '2026-03-04T00:00:00' }, 'wrong_type', 'timestamp'],
  ['a fraction of a millisecond', { ...good, timestamp: BASE + 0.5 }, 'wrong_type', 'timestamp'],
  ['seconds for milliseconds', { ...good, timestamp: BASE / 1000 }, 'clock_skew', 'timestamp'],
  ['microseconds for milliseconds', { ...good, timestamp: BASE * 1000 }, 'clock_skew', 'timestamp'],
  ['nanoseconds', { ...good, timestamp: BASE * 1e6 }, 'clock_skew', 'timestamp'],
  ['a negative timestamp', { ...good, timestamp: -1 }, 'clock_skew', 'timestamp'],
  ['a future timestamp', { ...good, timestamp: received + limits.maximumAhead + 1 }, 'clock_skew', 'timestamp'],
  ['an ancient timestamp', { ...good, timestamp: received - limits.maximumAge - 1 }, 'clock_skew', 'timestamp'],
  ['another device', { ...good, deviceId: 'sensor-2' }, 'wrong_device', 'deviceId'],
  ['a null device', { ...good, deviceId: null }, 'wrong_device', 'deviceId'],
  ['a number for a message id', { ...good, messageId: 7 }, 'wrong_type', 'messageId'],
  ['an empty message id', { ...good, messageId: '' }, 'out_of_range', 'messageId'],
  ['an endless message id', { ...good, messageId: 'x'.repeat(129) }, 'out_of_range', 'messageId'],
  ['half a surrogate pair', text({ ...good, messageId: 'M' }, '"M"', '"\\ud800"'), 'out_of_range', 'messageId'],
  ['an empty payload', '', 'empty_payload'],
  ['white space', ' \n\t ', 'empty_payload'],
  ['an empty array', '[]', 'empty_payload'],
  ['a bare number', '42', 'not_a_reading'],
  ['null', 'null', 'not_a_reading'],
  ['text', '"hello"', 'not_a_reading'],
  ['__proto__', '{"timestamp":1,"temperature":1,"__proto__":{"humidity":1}}', 'forbidden_name', '__proto__'],
  ['constructor', { ...good, constructor: 1 }, 'forbidden_name', 'constructor'],
  ['deep nesting', `${'['.repeat(33)}${']'.repeat(33)}`, 'too_deep'],
  ['very deep nesting', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'too_deep'],
  ['128 KiB and one byte', JSON.stringify({ ...good, note: 'x'.repeat(128 * 1024) }), 'payload_too_large'],
  ['gzip', gzipSync(JSON.stringify(good)), 'compressed'],
  ['zlib', deflateSync(JSON.stringify(good)), 'compressed'],
  ['Zstandard', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2]), 'compressed'],
  ['binary', Buffer.from([0xff, 0xfe, 0x00, 0x80]), 'not_utf8'],
  ['a byte order mark', '\ufeff{}', 'malformed_json'],
  ['zero bytes', Buffer.alloc(100), 'malformed_json'],
];

test.each(BAD_PAYLOADS.map(([name, payload, reason, field]) => ({ name, payload, reason, field })))(
  '$name is one quarantined record, and its neighbours are rows',
  ({ payload, reason, field }) => {
    const batch = decode(
      enveloped(good, { sequence: 1 }),
      enveloped(payload, { sequence: 2 }),
      enveloped(good, { sequence: 3 }),
    );
    expect(rows(batch)).toBe(2);
    expect(batch.quarantined).toHaveLength(1);
    const [entry] = batch.quarantined;
    expect(entry).toMatchObject({ reason, useCase: 'test-case', device: 'sensor-1', element: 0, received });
    expect(entry!.field).toBe(field);
    expect(entry!.sequenceNumber).toBe(enveloped(good, { sequence: 2 }).sequenceNumber);
    const bytes =
      typeof payload === 'string' || payload instanceof Uint8Array
        ? Buffer.from(payload as string)
        : Buffer.from(JSON.stringify(payload));
    expect(entry!.raw).toBe(bytes.toString('base64'));
    expect(batch.countsByUseCase()).toEqual({ 'test-case': { readings: 2, quarantined: 1 } });
  },
);

const envelope = { payload: '', topic: 'dt/test-case/sensor-1', device: 'sensor-1', received };
const BAD_RECORDS: [string, KinesisClientRecord, string, string][] = [
  ['no JSON', raw('hello'), 'not_an_envelope', 'unknown'],
  ['no bytes', raw(''), 'not_an_envelope', 'unknown'],
  ['a bare reading', raw(JSON.stringify(good)), 'not_an_envelope', 'unknown'],
  ['an array', raw('[]'), 'not_an_envelope', 'unknown'],
  ['deep nesting', raw('['.repeat(100_000)), 'not_an_envelope', 'unknown'],
  ['10 MiB of nothing', raw(Buffer.alloc(10 * 1024 * 1024)), 'not_an_envelope', 'unknown'],
  [
    'a payload that is no base64',
    raw(JSON.stringify({ ...envelope, payload: '%%%%' })),
    'not_an_envelope',
    'test-case',
  ],
  ['no time', raw(JSON.stringify({ ...envelope, received: undefined })), 'not_an_envelope', 'unknown'],
  ['a time of year 20000', raw(JSON.stringify({ ...envelope, received: 6e14 })), 'not_an_envelope', 'unknown'],
  ['another topic', raw(JSON.stringify({ ...envelope, topic: 'dt/test-case/no/match' })), 'unknown_topic', 'unknown'],
  ['an unknown use case', raw(JSON.stringify({ ...envelope, topic: 'dt/other/sensor-1' })), 'unknown_topic', 'unknown'],
  [
    'a use case named like a prototype',
    raw(JSON.stringify({ ...envelope, topic: 'dt/constructor/sensor-1' })),
    'unknown_topic',
    'unknown',
  ],
  [
    'a device that the topic does not name',
    raw(JSON.stringify({ ...envelope, device: 'sensor-2' })),
    'topic_mismatch',
    'test-case',
  ],
];

test.each(BAD_RECORDS)('a record with %s is one quarantined record', (_, record, reason, useCase) => {
  const batch = decode(record);
  expect(rows(batch)).toBe(0);
  expect(batch.quarantined).toHaveLength(1);
  expect(batch.quarantined[0]).toMatchObject({ reason, useCase });
});

test('each bad element of an array is quarantined with its own text; the others are rows', () => {
  const payload = `[ {"timestamp":${BASE},"temperature":1} , {"timestamp":${BASE},"temperature":1e400, "x":"],[{"},{"timestamp":${BASE + 1},"temperature":3},7]`;
  const batch = decode(enveloped(payload));
  expect(rows(batch)).toBe(2);
  expect([...batch.partitions.values()][0]!.columns.element.slice(0, 2)).toEqual(Int32Array.of(0, 2));
  expect(batch.quarantined.map(({ element, reason }) => [element, reason])).toEqual([
    [1, 'not_finite'],
    [3, 'not_a_reading'],
  ]);
  expect(Buffer.from(batch.quarantined[0]!.raw, 'base64').toString()).toBe(
    `{"timestamp":${BASE},"temperature":1e400, "x":"],[{"}`,
  );
  expect(Buffer.from(batch.quarantined[1]!.raw, 'base64').toString()).toBe('7');
});

test('what is right is taken: limits of ranges, dates with zones, unknown members, odd device names, exactly 128 KiB', () => {
  const pad = (size: number): string => {
    const bare = JSON.stringify({ ...good, note: '' });
    return JSON.stringify({ ...good, note: 'x'.repeat(size - bare.length) });
  };
  const batch = decode(
    enveloped({ timestamp: '2026-03-04T01:00:00+01:00', temperature: 150, humidity: null, other: { a: [1] } }),
    enveloped({ ...good, temperature: -50, deviceId: 'sensor-1', state: 10, messageId: 'é✓' }),
    enveloped(good, { device: '__proto__' }),
    enveloped(good, { device: 'constructor' }),
    enveloped(pad(128 * 1024)),
    enveloped({ ...good, timestamp: received + limits.maximumAhead, temperature: 0 }),
  );
  expect(batch.quarantined).toEqual([]);
  const [first] = batch.partitions.values();
  expect(first!.columns.eventTime[0]).toBe(BASE);
  expect(batch.devices.ids).toEqual(['sensor-1', '__proto__', 'constructor']);
  expect(first!.columns.values[1]![0]).toBeNaN();
});

test('the content hash tells readings apart by device, time, each value and message id', () => {
  const records = [
    enveloped(good),
    enveloped(good),
    enveloped(good, { device: 'sensor-2' }),
    enveloped({ ...good, timestamp: BASE + 1 }),
    enveloped({ ...good, temperature: 20.000000000000004 }),
    enveloped({ ...good, humidity: 0 }),
    enveloped({ ...good, state: 0 }),
    enveloped({ ...good, messageId: 'a' }),
    enveloped({ ...good, messageId: 'b' }),
  ];
  const { columns } = [...decode(...records).partitions.values()][0]!;
  const hashes = Array.from({ length: columns.rows }, (_, row) => `${columns.hashHigh[row]}/${columns.hashLow[row]}`);
  expect(hashes[0]).toBe(hashes[1]);
  expect(new Set(hashes).size).toBe(records.length - 1);
});

test('device hashes spread over the fold buckets', () => {
  const buckets = new Array<number>(8).fill(0);
  for (let device = 0; device < 8000; device++) buckets[Math.floor((hashDevice(`sensor-${device}`) * 8) / 2 ** 32)]!++;
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test('any bytes give at least one row or entry, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, wrap) => {
      const batch = decode(wrap ? enveloped(Buffer.from(bytes)) : raw(bytes));
      return rows(batch) + batch.quarantined.length >= 1;
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('any JSON array gives one row or entry for each element, with the text that was sent', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 1, maxLength: 6 }), (elements) => {
      const payload = Buffer.from(JSON.stringify(elements, null, 1));
      const batch = decode(enveloped(payload));
      expect(rows(batch) + batch.quarantined.length).toBe(elements.length);
      const texts = new ArrayElements(payload);
      elements.forEach((element, at) => {
        expect(JSON.parse(Buffer.from(texts.text(at)).toString())).toEqual(JSON.parse(JSON.stringify(element)));
      });
    }),
    { seed: 11, numRuns: 300 },
  );
});

test('a batch takes no more partitions than a commit can, and goes on inside the record', () => {
  const decoding = decoder();
  const record = enveloped(Array.from({ length: 7 }, (_, at) => ({ timestamp: BASE - at * HOUR, temperature: at })));
  const batch = new Batch(3);
  batch.beginRecord(record);
  const { elements, stoppedAt } = decoding.decode(record, batch);
  batch.endRecord(elements, stoppedAt);
  expect(stoppedAt).toBe(3);
  expect(batch.partial).toBe(true);
  expect(batch.end).toMatchObject({ element: 2 });
  expect(batch.records).toBe(0);
  const next = new Batch(10);
  next.beginRecord(record);
  expect(decoding.decode(record, next, stoppedAt)).toEqual({ elements: 7, stoppedAt: undefined });
  expect(rows(next)).toBe(4);
});
