/** Payloads and records that are too much, or in another encoding than JSON text in UTF-8. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { enveloped, payloadItem, readingText, recordItem, type CorpusItem } from './corpus-item';

const MIB = 1024 * 1024;
/** Kinesis' largest record. */
const RECORD_BYTES = 10 * MIB;
const PAYLOAD_BYTES = 128 * 1024;
/** In an array, with a comma after each. */
const MOST_READINGS = Math.floor((PAYLOAD_BYTES - 1) / (readingText().length + 1));

export function bombs(): CorpusItem[] {
  const zeros = Buffer.alloc(RECORD_BYTES);
  const members = (count: number): string =>
    Array.from({ length: count }, (_, at) => `,"${at.toString(36)}":1`).join('');
  const deep = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);
  const elements = Math.floor((PAYLOAD_BYTES - 1) / 2);
  const TOO_DEEP = { reason: 'too_deep' };
  const TOO_LARGE = { reason: 'payload_too_large' };
  const NO_ENVELOPE = { reason: 'not_an_envelope' };
  return [
    payloadItem('gzip of 10 MiB of zeros', () => gzipSync(zeros), { reason: 'compressed' }),
    payloadItem('zlib of 10 MiB of zeros', () => deflateSync(zeros), { reason: 'compressed' }),
    payloadItem('raw deflate of 10 MiB of zeros', () => deflateRawSync(zeros), 'quarantine'),
    payloadItem('brotli of 10 MiB of zeros', () => brotliCompressSync(zeros), 'quarantine'),
    payloadItem('gzip in gzip', () => gzipSync(gzipSync(zeros)), { reason: 'compressed' }),
    payloadItem('gzip, cut off', () => gzipSync(readingText()).subarray(0, 12), { reason: 'compressed' }),
    payloadItem('Zstandard', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 4, 0]), { reason: 'compressed' }),
    payloadItem('10,000 arrays deep', deep(10_000, '[', ']'), TOO_DEEP),
    payloadItem('10,000 objects deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, TOO_DEEP),
    payloadItem('10,000 deep inside a reading', readingText({}, `,"note":${deep(10_000, '[', ']')}`), TOO_DEEP),
    payloadItem('10,000 deep and never closed', '['.repeat(10_000), TOO_DEEP),
    payloadItem('32 deep inside a reading', readingText({}, `,"note":${deep(31, '[', ']')}`), 'row'),
    payloadItem('33 deep inside a reading', readingText({}, `,"note":${deep(32, '[', ']')}`), TOO_DEEP),
    payloadItem('10,000 keys', () => readingText({}, members(10_000)), 'row'),
    payloadItem('one key 10,000 times', () => readingText({}, ',"k":1'.repeat(10_000)), 'row'),
    payloadItem('a value that comes twice', () => readingText({}, ',"temperature":22'), 'row'),
    payloadItem('60,000 keys', () => `{${members(60_000).slice(1)}}`, TOO_LARGE),
    payloadItem('128 KiB and one byte', () => readingText({}, ' '.repeat(PAYLOAD_BYTES)), TOO_LARGE),
    payloadItem('128 KiB of white space', () => ' '.repeat(PAYLOAD_BYTES), { reason: 'empty_payload' }),
    payloadItem('a text of 127 KiB', () => readingText({}, `,"note":"${'\\u0041'.repeat(21_000)}"`), 'row'),
    payloadItem(
      'as many numbers as a payload holds',
      () => `[${'0,'.repeat(elements - 1)}0]`,
      { reason: 'not_a_reading' },
      elements,
    ),
    payloadItem(
      'as many readings as a payload holds',
      () => `[${Array(MOST_READINGS).fill(readingText()).join(',')}]`,
      'row',
      MOST_READINGS,
    ),
    payloadItem('two readings in a row', `${readingText()}${readingText()}`, { reason: 'malformed_json' }),
    payloadItem('readings line by line', `${readingText()}\n${readingText()}\n`, { reason: 'malformed_json' }),
    payloadItem('an array in an array', `[[${readingText()}]]`, { reason: 'not_a_reading' }),
    recordItem('10 MiB of zeros', () => zeros, NO_ENVELOPE),
    recordItem('10 MiB of text', () => Buffer.alloc(RECORD_BYTES, 'x'), NO_ENVELOPE),
    recordItem('10 MiB of brackets', () => Buffer.alloc(RECORD_BYTES, '['), NO_ENVELOPE),
    recordItem('10 MiB of quotes', () => Buffer.alloc(RECORD_BYTES, '"'), NO_ENVELOPE),
    recordItem('10 MiB of white space', () => Buffer.alloc(RECORD_BYTES, ' '), NO_ENVELOPE),
    recordItem('an envelope of a million keys', () => Buffer.from(`{${members(1_000_000).slice(1)}}`), NO_ENVELOPE),
    recordItem('an envelope with 512 KiB of payload', () => enveloped(Buffer.alloc(MIB / 2, ' ')), TOO_LARGE),
    recordItem('an envelope with 7 MiB of payload', () => enveloped(Buffer.alloc(7 * MIB, ' ')), NO_ENVELOPE),
    recordItem('a gzipped envelope', () => gzipSync(enveloped(Buffer.from(readingText()))), NO_ENVELOPE),
    recordItem('a reading without an envelope', () => Buffer.from(readingText()), NO_ENVELOPE),
    recordItem('no bytes', () => Buffer.alloc(0), NO_ENVELOPE),
  ];
}

export function encodings(): CorpusItem[] {
  const text = readingText();
  const utf16 = Buffer.from(text, 'utf16le');
  const withName = (...bytes: readonly number[]): Buffer =>
    Buffer.concat([Buffer.from(readingText({}, ',"note":"')).subarray(0, -1), Buffer.from(bytes), Buffer.from('"}')]);
  const NOT_UTF8 = { reason: 'not_utf8' };
  return [
    payloadItem('UTF-16, little end first', utf16, 'quarantine'),
    payloadItem('UTF-16, big end first', Buffer.from(utf16).swap16(), 'quarantine'),
    payloadItem('UTF-16 with a byte order mark', Buffer.from(`\ufeff${text}`, 'utf16le'), NOT_UTF8),
    payloadItem('UTF-8 with a byte order mark', `\ufeff${text}`, { reason: 'malformed_json' }),
    payloadItem(
      'UTF-32',
      Buffer.from([...text].flatMap((character) => [character.charCodeAt(0), 0, 0, 0])),
      'quarantine',
    ),
    payloadItem('Latin-1', withName(0xe9), NOT_UTF8),
    payloadItem('an overlong quote', withName(0xc0, 0xa2), NOT_UTF8),
    payloadItem('a surrogate in UTF-8', withName(0xed, 0xa0, 0x80), NOT_UTF8),
    payloadItem('a sequence that ends too soon', withName(0xf0, 0x9f), NOT_UTF8),
    payloadItem('a zero byte in a text', withName(0), { reason: 'malformed_json' }),
    payloadItem('a zero byte at the end', `${text}\0`, { reason: 'malformed_json' }),
    payloadItem(
      'CBOR',
      Buffer.from('a26974696d657374616d701b0000019cb6a8ec006b74656d706572617475726518', 'hex'),
      'quarantine',
    ),
    payloadItem('MessagePack', Buffer.from('82a974696d657374616d70cf0000019cb6a8ec00', 'hex'), 'quarantine'),
    payloadItem('an empty payload', '', { reason: 'empty_payload' }),
    payloadItem('an empty array', '[]', { reason: 'empty_payload' }),
    payloadItem('an empty object', '{}', { reason: 'missing_field' }),
  ];
}
