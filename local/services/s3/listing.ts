/** ListObjects over a sorted index: prefix, delimiter, paging. */
import { AwsError } from '../../gateway/service';
import type { SortedKeys } from './sorted-keys';

export interface ListRequest {
  readonly prefix: string;
  /** '' = none. */
  readonly delimiter: string;
  /** 0–1,000; S3 cuts more to 1,000. */
  readonly maxKeys: number;
  /** Continue behind this key, or behind every key with this common prefix. */
  readonly after?: Position;
}

export type Position = { readonly key: string } | { readonly commonPrefix: string };

export interface ListPage {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** Set where more follows. */
  readonly next?: Position;
}

export function listKeys(index: SortedKeys, request: ListRequest): ListPage {
  const { prefix, delimiter } = request;
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  const limit = Math.min(request.maxKeys, 1_000);
  let last: Position | undefined;
  let at = startOf(index, request);
  for (let key = index.at(at); key !== undefined && key.startsWith(prefix); key = index.at(at)) {
    if (keys.length + commonPrefixes.length >= limit) {
      return { keys, commonPrefixes, ...(last !== undefined && { next: last }) };
    }
    const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (end === -1) {
      keys.push(key);
      last = { key };
      at++;
    } else {
      const commonPrefix = key.slice(0, end + delimiter.length);
      commonPrefixes.push(commonPrefix);
      last = { commonPrefix };
      at = index.indexAfterPrefix(commonPrefix);
    }
  }
  return { keys, commonPrefixes };
}

function startOf(index: SortedKeys, { prefix, delimiter, after }: ListRequest): number {
  const first = index.indexFrom(prefix);
  if (after === undefined) return first;
  if ('commonPrefix' in after) return Math.max(first, index.indexAfterPrefix(after.commonPrefix));
  // A start-after that is itself a common prefix stands behind all that it groups.
  const grouped = delimiter !== '' && after.key.endsWith(delimiter) && after.key.length > prefix.length;
  return Math.max(first, grouped ? index.indexAfterPrefix(after.key) : index.indexAfter(after.key));
}

export function writeToken(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** @throws AwsError InvalidArgument for a token that no listing gave out. */
export function readToken(token: string): Position {
  try {
    const position = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as Partial<
      Record<'key' | 'commonPrefix', unknown>
    >;
    if (typeof position.key === 'string') return { key: position.key };
    if (typeof position.commonPrefix === 'string') return { commonPrefix: position.commonPrefix };
  } catch {
    // Falls through: not a token.
  }
  throw new AwsError('InvalidArgument', 'The continuation token provided is incorrect', 400);
}
