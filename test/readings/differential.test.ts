/** The fast path gives what the slow one gives, whatever comes; test/long tries many more. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { FastPath } from '../../consumer/readings/fast-path';
import { readingSchema } from '../../consumer/readings/schema';
import { useCases } from '../../use-cases';
import { publishes } from '../../use-cases/imperfections';
import { BASE, enveloped, HOUR, limits, raw, schemas, testUseCase } from '../lake/support/telemetry';
import { BothPaths } from './support/both-paths';
import { RECORD } from './support/records';

const good = { timestamp: BASE, temperature: 20 };
const paths = new BothPaths(schemas, limits);

test('records, right and wrong in every way', () => {
  const seen = { fast: 0, rows: 0, quarantined: 0 };
  fc.assert(
    fc.property(RECORD, fc.nat(3), fc.oneof(fc.constant(Infinity), fc.nat(3)), (record, from, room) => {
      const { fast, rows, quarantined, difference } = paths.compare(record, from, room);
      expect(difference).toBeUndefined();
      seen.fast += Number(fast);
      seen.rows += rows;
      seen.quarantined += quarantined;
    }),
    { seed: 5, numRuns: 8_000 },
  );
  // All three happen often, or nothing was compared.

  expect(Math.min(seen.fast, seen.rows, seen.quarantined)).toBeGreaterThan(500);
});

test('what the simulated devices of every use case send', () => {
  for (const useCase of useCases) {
    const both = new BothPaths(new Map([[useCase.name, readingSchema(useCase)]]), limits);
    for (const batch of [1, useCase.simulator.batch]) {
      const deviceName = `${useCase.name}-1`;
      const options = { useCase, device: 1, deviceName, seed: 3, from: BASE, to: BASE + HOUR, batch };
      let fast = 0;
      let all = 0;
      for (const { payload, timestamp } of publishes(options)) {
        const envelope = {
          topic: `dt/${useCase.name}/${deviceName}`,
          device: deviceName,
          received: timestamp + 900_000,
        };
        const record = raw(JSON.stringify({ payload: payload.toString('base64'), ...envelope }));
        const compared = both.compare(record);
        expect(compared.difference).toBeUndefined();
        fast += Number(compared.fast);
        all++;
      }
      expect(fast / all).toBeGreaterThanOrEqual(0.8);
    }
  }
});

test.each<[string, Uint8Array | string | object]>([
  ['one reading', good],
  ['all members, in another order', { state: 1, messageId: 'm', humidity: 3.25, deviceId: 'sensor-1', ...good }],
  ['an array', [good, { ...good, humidity: null }]],
  ['white space', JSON.stringify([good, good], undefined, 2)],
  ['zero below zero', `{"timestamp":${BASE},"temperature":-0}`],
  ['15 digits', `{"timestamp":${BASE},"temperature":0.00000000999999999999999}`.replace('00000000', '0')],
])('the fast path takes %s', (_, payload) => {
  const compared = paths.compare(enveloped(payload));
  expect(compared).toMatchObject({ difference: undefined, fast: true, quarantined: 0 });
});

test.each<[string, Uint8Array | string | object]>([
  ['an exponent', `{"timestamp":${BASE},"temperature":2e1}`],
  ['16 digits', `{"timestamp":${BASE},"temperature":20.12345678901234}`],
  ['an unknown member', { ...good, firmware: '1.2' }],
  ['a member that comes twice', `{"timestamp":${BASE},"temperature":1,"temperature":2}`],
  ['an escape', `{"timestamp":${BASE},"temperature":1,"messageId":"\\u0041"}`],
  ['letters beyond ASCII', { ...good, messageId: 'é' }],
  ['a date', { ...good, timestamp: '2026-03-04T00:00:00Z' }],
])('the fast path leaves %s to the slow one, which takes it', (_, payload) => {
  expect(paths.compare(enveloped(payload))).toEqual({ fast: false, difference: undefined, rows: 1, quarantined: 0 });
});

test('one bad element, or a fault at the very end, and the fast path gives nothing of the record', () => {
  expect(paths.compare(enveloped([good, good, { ...good, temperature: 'x' }]))).toMatchObject({
    difference: undefined,
    fast: false,
    rows: 2,
  });
  expect(paths.compare(enveloped(`[${JSON.stringify(good)},${JSON.stringify(good)}]]`))).toMatchObject({
    difference: undefined,
    rows: 0,
  });
  expect(paths.compare(enveloped(gzipSync(JSON.stringify(good))))).toMatchObject({ difference: undefined, rows: 0 });
});

test('a payload of exactly 128 KiB, and one byte more', () => {
  const sized = (size: number): string => `{"timestamp":${BASE},"temperature":1${' '.repeat(size - 43)}}`;
  const most = 128 * 1024;
  expect(sized(most)).toHaveLength(most);
  expect(paths.compare(enveloped(sized(most)))).toMatchObject({ difference: undefined, fast: true, rows: 1 });
  expect(paths.compare(enveloped(sized(most + 1)))).toMatchObject({
    difference: undefined,
    fast: false,
    quarantined: 1,
  });
});

test('a long payload leaves nothing behind for a short one', () => {
  const many = Array.from({ length: 1000 }, (_, at) => ({
    ...good,
    temperature: at % 100,
    humidity: 1,
    messageId: `${at}`,
  }));
  expect(paths.compare(enveloped(many))).toMatchObject({ difference: undefined, fast: true, rows: 1000 });
  expect(paths.compare(enveloped(good))).toMatchObject({ difference: undefined, fast: true, rows: 1 });
  const text = JSON.stringify(good);
  for (let length = 1; length < text.length; length++) {
    expect(paths.compare(enveloped(text.slice(0, length)))).toMatchObject({
      difference: undefined,
      fast: false,
      rows: 0,
    });
  }
});

test('a schema whose field has a name of the reading itself is read by the slow path alone', () => {
  const field = testUseCase.schema['temperature']!;
  for (const name of ['messageId', 'constructor', 'naïve', 'a"b']) {
    const schema = { useCase: 'test-case', fields: [{ name, ...field }] };
    const path = new FastPath(new Map([['test-case', schema]]), limits);
    expect(
      path.decode(enveloped({ timestamp: BASE, [name]: 1 }), { reading: () => true, quarantine: () => {} }, 0),
    ).toBe(undefined);
  }
});
