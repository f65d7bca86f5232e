/** The corpus that always runs: written here, for what telemetry gets wrong. `corpus-files` adds what others collected. */
import { DEVICE_ID_PATTERN } from '../../lib/contracts/topics';
import {
  enveloped,
  HOUR_START,
  LIMITS,
  payloadItem,
  readingText,
  RECEIVED,
  recordItem,
  type CorpusItem,
  type Expected,
} from './corpus-item';
import { bombs, encodings } from './corpus-bytes';
import { kplItems } from './corpus-kpl';

const { minimum, maximum } = { minimum: -40, maximum: 125 };

const TEXTS: readonly string[] = [
  ...[
    '',
    ' ',
    '.',
    '..',
    '/',
    '//',
    '../../etc/passwd',
    '\\',
    'C:\\',
    'a/b',
    'dt/x/y',
    '#',
    '+',
    '$aws/things',
    '*',
    '%00',
    '%2e%2e',
  ],
  ...[
    'null',
    'undefined',
    'NaN',
    'Infinity',
    'true',
    '0',
    '-1',
    '1e400',
    '0x10',
    'None',
    '[object Object]',
    'x'.repeat(128),
    'x'.repeat(129),
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '__defineGetter__',
    'then',
    'length',
  ],
  ...[
    "'; DROP TABLE readings;--",
    '"; exit',
    '<script>alert(1)</script>',
    '${jndi:ldap://127.0.0.1/a}',
    '{{7*7}}',
    '$(reboot)',
    '`id`',
    '=1+1',
    '\r\nX: y',
  ],
  ...[
    'é',
    'e\u0301',
    'ß',
    'İ',
    'ﬁ',
    '田中さん',
    '表ポあA鷗',
    'صفحة',
    '\u202eabc',
    '\u200b',
    '\u2028',
    '\ufeff',
    '\ufffd',
    '\u0000',
    '\u001b[31m',
    '\u007f',
  ],
  ...['😀', '👩‍👩‍👧‍👦', '\ud800', '\udfff', 'a\ud83d', '𝕿', 'Z̮̞̠͙͔ͅA̛'],
];

const MEMBER_NAMES = ['timestamp', 'temperature', 'humidity', 'pressure', 'deviceId', 'messageId'];
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

/** A text in every place of a publish where a text can stand. */
export function textItems(text: string, label: string): CorpusItem[] {
  const json = JSON.stringify(text);
  const isId = text.length > 0 && text.length <= 128 && !LONE_SURROGATE.test(text);
  const good = Buffer.from(readingText());
  const nameExpected: Expected = FORBIDDEN.includes(text)
    ? { reason: 'forbidden_name' }
    : MEMBER_NAMES.includes(text)
      ? 'either'
      : 'row';
  const topicExpected: Expected = DEVICE_ID_PATTERN.test(text) ? 'row' : { reason: 'unknown_topic' };
  return [
    recordItem(`${label} as the device in the topic`, () => enveloped(good, text), topicExpected),
    payloadItem(`${label} as deviceId`, readingText({ deviceId: json }), { reason: 'wrong_device' }),
    payloadItem(`${label} as messageId`, readingText({ messageId: json }), isId ? 'row' : { reason: 'out_of_range' }),
    payloadItem(`${label} as a value`, readingText({ temperature: json }), { reason: 'wrong_type' }),
    payloadItem(`${label} as timestamp`, readingText({ timestamp: json }), { reason: 'wrong_type' }),
    payloadItem(`${label} as an unknown member`, readingText({}, `,"note":${json}`), 'row'),
    payloadItem(`${label} as an unknown member's name`, readingText({}, `,${json}:1`), nameExpected),
    payloadItem(`${label} as the payload`, text, 'quarantine'),
  ];
}

const NUMBERS: readonly string[] = [
  ...[
    '0',
    '-0',
    '0.0',
    '-0.0',
    '0e0',
    '1E2',
    '1e+2',
    '1e-2',
    '125',
    '125.0',
    '-40',
    '125.00000000000001',
    '125.000000000000001',
    '-40.1',
  ],
  ...[
    '1e400',
    '-1e400',
    '1e308',
    '5e-324',
    '2.2250738585072011e-308',
    '9007199254740993',
    '20.123456789012345',
    '2e1',
    '0.1',
    '1e-400',
  ],
  ...[
    '00',
    '01',
    '-01',
    '+1',
    '1.',
    '.5',
    '-',
    '--1',
    '1e',
    '1e+',
    '0x10',
    '1_0',
    '1,5',
    'NaN',
    'Infinity',
    '-Infinity',
    'nan',
    '１',
    '1 2',
    '1;',
  ],
  ...[
    `0.${'0'.repeat(30)}1`,
    `20.${'1'.repeat(5_000)}`,
    '9'.repeat(5_000),
    `${'0'.repeat(5_000)}1`,
    `1e${'9'.repeat(5_000)}`,
    `1${'0'.repeat(400)}e-400`,
  ],
];
/** RFC 8259, section 6. */
const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

function numberItem(text: string): CorpusItem {
  const value = Number(text);
  const fits = JSON_NUMBER.test(text) && value >= minimum && value <= maximum;
  const shown = text.length > 30 ? `${text.slice(0, 10)}… of ${text.length} characters` : text;
  return payloadItem(`number ${shown}`, readingText({ temperature: text }), fits ? 'row' : 'quarantine');
}

const SKEW = { reason: 'clock_skew' };
const TYPE = { reason: 'wrong_type' };
const DAY = 86_400_000;
const TIMES: readonly (readonly [string, string, Expected])[] = [
  ['milliseconds', `${HOUR_START}`, 'row'],
  ['seconds', `${HOUR_START / 1000}`, SKEW],
  ['microseconds', `${HOUR_START}000`, SKEW],
  ['nanoseconds', `${HOUR_START}000000`, SKEW],
  ['seconds with a fraction', `${HOUR_START / 1000}.25`, TYPE],
  ['1970', '0', SKEW],
  ['a year ahead', `${RECEIVED + 365 * DAY}`, SKEW],
  ['the last millisecond ahead', `${RECEIVED + LIMITS.maximumAhead}`, 'row'],
  ['one too far ahead', `${RECEIVED + LIMITS.maximumAhead + 1}`, SKEW],
  ['the oldest millisecond', `${RECEIVED - LIMITS.maximumAge}`, 'row'],
  ['one too old', `${RECEIVED - LIMITS.maximumAge - 1}`, SKEW],
  ['the year 10000', '253402300800000', SKEW],
  ['below zero', '-1', SKEW],
  ['2^31 seconds', '2147483648', SKEW],
  ['2^53', '9007199254740992', SKEW],
  ['beyond doubles', '1e400', { reason: 'not_finite' }],
  ['an exponent', '1.7725824e12', 'row'],
  ['a date', '"2026-03-04T00:30:00Z"', 'row'],
  ['a date with nanoseconds', '"2026-03-04T00:30:00.123456789Z"', 'row'],
  ['a leap second', '"2025-06-30T23:59:60Z"', TYPE],
  ['the hour that a clock change left out', '"2025-03-30T02:30:00+01:00"', 'row'],
  ['the hour that came twice, first', '"2025-10-26T02:30:00+02:00"', 'row'],
  ['the hour that came twice, then', '"2025-10-26T02:30:00+01:00"', 'row'],
  ['29 February of no leap year', '"2025-02-29T00:00:00Z"', 'either'],
  ['the 32nd', '"2025-01-32T00:00:00Z"', TYPE],
  ['24 o’clock', '"2026-03-03T24:00:00Z"', 'row'],
  ['a zone of 25 hours', '"2026-03-03T12:00:00+25:00"', TYPE],
  ['without a zone', '"2026-03-04T00:30:00"', TYPE],
  ['words', '"yesterday"', TYPE],
  ['null', 'null', { reason: 'missing_field' }],
  ['a list', '[1]', TYPE],
];

/** Some 700 items, the same in every run. */
export function ownCorpus(): CorpusItem[] {
  return [
    ...TEXTS.flatMap((text, at) => textItems(text, `text ${at}`)),
    ...NUMBERS.map(numberItem),
    ...TIMES.map(([name, text, expected]) => payloadItem(`time: ${name}`, readingText({ timestamp: text }), expected)),
    ...bombs(),
    ...encodings(),
    ...kplItems(),
  ];
}
