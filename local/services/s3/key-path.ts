/**
 * Where an object's file stands below its bucket's directory. A key is its own relative path wherever a file system
 * allows that, so `readings/dt=2025-06-01/a.parquet` is the file of that name; what a file system would read as
 * something else is percent-encoded, one key to one path:
 *
 * - `%`, control characters and `< > : " | ? * \` → `%XX`
 * - the segments `.` and `..` → `%2E` and `%2E%2E`; so no key leads out of the bucket's directory
 * - an empty segment (a leading, trailing or doubled `/`) → `%2F`
 * - a segment of more than 200 bytes → directories of at most 200 bytes, each but the last one ending in `%-`
 */
import { AwsError } from '../../gateway/service';

/** S3's limit on a key's UTF-8 bytes. */
const LONGEST_KEY = 1_024;
const LONGEST_SEGMENT = 200;

// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f%<>:"|?*\\]/g;

/** @throws AwsError KeyTooLongError for more than 1,024 bytes, InvalidRequest for an empty key. */
export function keyToPath(key: string): string {
  if (key === '') throw new AwsError('InvalidRequest', 'The object key is empty', 400);
  if (Buffer.byteLength(key) > LONGEST_KEY) {
    throw new AwsError(
      'KeyTooLongError',
      `The object key has ${Buffer.byteLength(key)} bytes; at most ${LONGEST_KEY} are allowed`,
      400,
    );
  }
  return key.split('/').map(encodeSegment).join('/');
}

function encodeSegment(segment: string): string {
  if (segment === '') return '%2F';
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E');
  const encoded = segment.replace(
    UNSAFE,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return Buffer.byteLength(encoded) <= LONGEST_SEGMENT ? encoded : splitSegment(encoded).join('%-/');
}

function splitSegment(encoded: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const character of encoded) {
    const size = Buffer.byteLength(character);
    if (bytes + size > LONGEST_SEGMENT) {
      pieces.push(piece);
      piece = '';
      bytes = 0;
    }
    piece += character;
    bytes += size;
  }
  return [...pieces, piece];
}
