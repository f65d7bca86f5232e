/** Conditional requests on objects (RFC 9110, section 13; S3 "Add preconditions"). */
import { AwsError } from '../../gateway/service';
import type { HttpRequest } from '../../gateway/service';
import { noSuchKey } from './bucket';
import type { StoredObject } from './stored-object';

type Headers = HttpRequest['headers'];

/**
 * The check a write makes on what stands under its key at the moment of the change.
 * @throws AwsError PreconditionFailed, NoSuchKey (If-Match on nothing), NotImplemented
 */
export function writeCondition(headers: Headers, key: string): (current: StoredObject | undefined) => void {
  const ifNoneMatch = headers['if-none-match'];
  const ifMatch = headers['if-match'];
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new AwsError(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented: If-None-Match takes * only',
      501,
    );
  }
  return (current) => {
    if (ifNoneMatch !== undefined && current !== undefined) throw failed('If-None-Match');
    if (ifMatch === undefined) return;
    if (current === undefined) throw noSuchKey(key);
    if (!matches(ifMatch, current)) throw failed('If-Match');
  };
}

/** The answer to a conditional read: 304 where the client has the object already. @throws AwsError PreconditionFailed */
export function readCondition(headers: Headers, object: StoredObject): 'send' | 'not modified' {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  const modified = Math.floor(object.lastModified / 1_000) * 1_000;
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, object)) throw failed('If-Match');
  } else if (modified > dateOf(headers['if-unmodified-since'], Number.POSITIVE_INFINITY)) {
    throw failed('If-Unmodified-Since');
  }
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, object) ? 'not modified' : 'send';
  return modified <= dateOf(headers['if-modified-since'], Number.NEGATIVE_INFINITY) ? 'not modified' : 'send';
}

function matches(header: string, object: StoredObject): boolean {
  return header
    .split(',')
    .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '').replaceAll('"', '') === object.etag);
}

function dateOf(header: string | undefined, otherwise: number): number {
  const date = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(date) ? otherwise : date;
}

function failed(condition: string): AwsError {
  return new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412, {
    Condition: condition,
  });
}

/** First and last byte. Undefined: send all. @throws AwsError InvalidRange where no byte is within */
export function readRange(
  header: string | undefined,
  size: number,
): { readonly first: number; readonly last: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const suffix = match[1] === '';
  const first = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = suffix || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (!suffix && match[2] !== '' && Number(match[2]) < first) return undefined;
  if (first >= size || (suffix && Number(match[2]) === 0)) {
    throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416, {
      ActualObjectSize: size,
      RangeRequested: header,
    });
  }
  return { first, last };
}
