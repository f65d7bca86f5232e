/** Arbitrary records: valid, nearly valid, and broken at any byte. JSON is put together as text, so that it can be wrong. */
import fc, { type Arbitrary } from 'fast-check';
import type { KinesisClientRecord } from '../../../consumer/kcl/processor';
import { BASE, limits, raw } from '../../lake/support/telemetry';

const RECEIVED = BASE + 1000;
const DEVICES = ['sensor-1', 'sensor-2', '__proto__', 'a:b_c-d'];

const SPACE = fc.oneof(
  { weight: 40, arbitrary: fc.constant('') },
  { weight: 12, arbitrary: fc.constantFrom(' ', '\n', '\t', '\r\n', '  ') },
  // None of JSON's, though String.trim takes them.
  { weight: 1, arbitrary: fc.constantFrom('\u00a0', '\f', '\v', '\ufeff', '\0', '/**/') },
);

const ODD_NUMBERS = [
  ...['-0', '0', '-0.0', '0.0', '1.0', '1e2', '1E+2', '1e-2', '1e400', '-1e400', '1e308', '5e-324', '0e999999999'],
  ...['01', '007', '-01', '00', '1.', '.5', '-.5', '+1', '-', '--1', '1.2.3', '1e', '1e+', '0x10', '1_0', '1,5', '１'],
  ...['NaN', 'Infinity', '-Infinity', 'nul', 'null', 'nulll', 'NULL', 'true', 'false', 'undefined', '', '""', '"20"'],
  ...['9007199254740991', '9007199254740993', '-9007199254740993', '123456789012345678', '999999999999999'],
  ...[
    '1000000000000000',
    '0.1',
    '0.30000000000000004',
    '99.999999999999999',
    '100.00000000000001',
    '149.99999999999997',
  ],
  ...['0.0000000000000000000001', '0.00000000000000000000001', '1.0000000000000000000000', '1.00000000000000000000000'],
  ...['2.2250738585072014e-308', '123456789.123456', '1234567890.12345', '12345678901.12345', '[1]', '{"a":1}', '[]'],
];

const NUMBER: Arbitrary<string> = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 0, max: 10 }).map(String) },
  { weight: 6, arbitrary: fc.double({ min: -60, max: 160, noNaN: true }).map((value) => JSON.stringify(value)) },
  { weight: 20, arbitrary: fc.tuple(fc.nat(105), fc.nat(99_999)).map(([whole, places]) => `${whole}.${places}`) },
  { weight: 2, arbitrary: fc.stringMatching(/^-?\d{1,3}\.\d{1,24}$/) },
  { weight: 2, arbitrary: fc.double().map((value) => JSON.stringify(value)) },
  { weight: 3, arbitrary: fc.constantFrom(...ODD_NUMBERS) },
);

const { maximumAge, maximumAhead } = limits;
const EDGES = [RECEIVED + maximumAhead, RECEIVED - maximumAge, 0, Date.UTC(10_000, 0, 1)];
const TIMESTAMP: Arbitrary<string> = fc.oneof(
  { weight: 60, arbitrary: fc.integer({ min: RECEIVED - 7_200_000, max: RECEIVED }).map(String) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...EDGES), fc.constantFrom(-1, 0, 1)).map(([a, b]) => `${a + b}`) },
  { weight: 2, arbitrary: fc.constantFrom('.0', '.5', 'e0', '000', '0').map((end) => `${BASE}${end}`) },
  { weight: 1, arbitrary: fc.constantFrom('2026-03-04T00:00:00Z', '2026-02-30T00:00:00Z', 'x').map((t) => `"${t}"`) },
  { weight: 1, arbitrary: NUMBER },
);

const ODD_TEXTS = [
  '\\u0041',
  '\\n',
  '\\"',
  '\\\\',
  '\\ud800',
  '\\ud83d\\ude00',
  '\\x',
  '\\u12',
  'é',
  '😀',
  '\x7f',
  '\x01',
  '\t',
];
const TEXT: Arbitrary<string> = fc
  .oneof(
    { weight: 8, arbitrary: fc.stringMatching(/^[ -~]{0,40}$/).map((text) => text.replace(/["\\]/g, '')) },
    { weight: 1, arbitrary: fc.constantFrom(126, 127, 128, 129).map((length) => 'm'.repeat(length)) },
    {
      weight: 2,
      arbitrary: fc.array(fc.constantFrom('a', ...ODD_TEXTS), { maxLength: 4 }).map((parts) => parts.join('')),
    },
  )
  .map((text) => `"${text}"`);

const VALUE = fc.oneof(
  NUMBER,
  TEXT,
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
);

/** `"name": value` with white space, for one of the names that a reading has, or another. */
const MEMBER: Arbitrary<string> = fc
  .oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom('humidity', 'state'), NUMBER) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('messageId'), fc.oneof(TEXT, fc.constantFrom('null', '7', '""'))) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constant('deviceId'), fc.constantFrom(...DEVICES.map((id) => `"${id}"`), 'null')),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom('humidity', 'messageId', 'deviceId', 'temperature'), VALUE) },
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.constantFrom(
          'note',
          'temp\\u0065rature',
          'temperature ',
          'Temperature',
          '__proto__',
          'constructor',
          '',
          'time',
        ),
        VALUE,
      ),
    },
  )
  .chain(([name, value]) => fc.tuple(SPACE, SPACE).map(([before, after]) => `"${name}"${before}:${after}${value}`));

const READING: Arbitrary<string> = fc
  .tuple(TIMESTAMP, NUMBER, fc.array(MEMBER, { maxLength: 3 }), fc.nat(23), SPACE, fc.nat(40))
  .map(([timestamp, temperature, others, rotation, space, odd]) => {
    const members = [`"timestamp":${timestamp}`, `"temperature":${temperature}`, ...others];
    if (odd === 0) members.shift();
    const turned = members.map((_, at) => members[(at + rotation) % members.length]!);
    const text = `{${space}${turned.join(`${space},`)}${space}}`;
    return odd === 1 ? text.replace(',', ',,') : odd === 2 ? text.replace('}', ',}') : text;
  });

const PAYLOAD: Arbitrary<Buffer> = fc
  .oneof(
    { weight: 6, arbitrary: READING },
    { weight: 3, arbitrary: fc.array(READING, { maxLength: 5 }).map((all) => `[${all.join(' ,')}]`) },
    {
      weight: 1,
      arbitrary: fc.tuple(READING, fc.constantFrom('x', ',', ']', '\0', ' ', '{}')).map((parts) => parts.join('')),
    },
    { weight: 1, arbitrary: fc.array(fc.oneof(READING, VALUE), { maxLength: 3 }).map((all) => `[${all.join(',')}]`) },
  )
  .map((text) => Buffer.from(text));

/** Any bytes with up to `most` of them changed, put in or taken away. */
function mutated(bytes: Arbitrary<Buffer>, most: number): Arbitrary<Buffer> {
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom('set', 'insert', 'delete'),
    fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:\\0-e.= '))),
  );
  return fc.tuple(bytes, fc.array(change, { maxLength: most })).map(([original, changes]) => {
    const list = [...original];
    for (const [place, kind, byte] of changes) {
      list.splice(place % (list.length + 1), kind === 'insert' ? 0 : 1, ...(kind === 'delete' ? [] : [byte]));
    }
    return Buffer.from(list);
  });
}

const BASE64 = fc.constantFrom<(text: string) => string>(
  ...Array.from({ length: 60 }, () => (text: string) => text),
  (text) => text.replace(/=+$/, ''),
  (text) => text.replace(/\+/g, '-').replace(/\//g, '_'),
  (text) => `${text}=`,
  (text) => `${text.slice(0, 8)}\\n${text.slice(8)}`,
  (text) => text.replace('I', '\\u0049'),
  // Bits that no byte takes.
  (text) => text.replace(/[AQgw]==$/, 'B=='),
);

const RECEIVED_TEXT = fc.oneof(
  { weight: 60, arbitrary: fc.constant(`${RECEIVED}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      `${RECEIVED}.0`,
      '-1',
      '-0',
      '0',
      '00',
      '1e3',
      '',
      '"1"',
      'null',
      '253402300800000',
      `0${RECEIVED}`,
    ),
  },
);

const ENVELOPE = (payload: Arbitrary<Buffer>): Arbitrary<Buffer> =>
  fc
    .tuple(payload, BASE64, fc.constantFrom(...DEVICES), RECEIVED_TEXT, fc.nat(80), fc.nat(23), SPACE)
    .map(([bytes, encode, device, received, odd, rotation, space]) => {
      const topic = odd === 0 ? `dt/other/${device}` : odd === 1 ? 'dt/test-case' : `dt/test-case/${device}`;
      const members = [
        `"payload":"${encode(bytes.toString('base64'))}"`,
        `"topic":"${odd === 2 ? topic.replace('/', '\\/') : topic}"`,
        `"device":"${odd === 3 ? 'sensor-9' : device}"`,
        `"received":${received}`,
      ];
      if (odd === 4) members.push(members[rotation % 4]!);
      if (odd === 5) members.push('"more":1');
      if (odd === 6) members.splice(rotation % 4, 1);
      const turned = odd > 40 ? members : members.map((_, at) => members[(at + rotation) % members.length]!);
      return Buffer.from(`${space}{${turned.join(`,${space}`)}${space}}${space}`);
    });

export const RECORD: Arbitrary<KinesisClientRecord> = fc
  .oneof(
    { weight: 6, arbitrary: ENVELOPE(PAYLOAD) },
    { weight: 3, arbitrary: ENVELOPE(mutated(PAYLOAD, 3)) },
    { weight: 1, arbitrary: mutated(ENVELOPE(PAYLOAD), 3) },
  )
  .map((data) => raw(data));
