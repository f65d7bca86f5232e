/**
 * Shard iterators and paging tokens: opaque, stateless, so that they outlive a restart, and checked, so that garbage
 * and tampering are refused.
 */
import { hash } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import { invalidArgument } from './input';

/** @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html */
const LIFETIME_MS = 300_000;

function encode(kind: string, content: unknown): string {
  const text = JSON.stringify(content);
  return Buffer.from(`${kind}${hash('md5', kind + text, 'hex')}${text}`).toString('base64');
}

function decode(kind: string, token: string): unknown {
  const text = Buffer.from(token, 'base64').toString('utf8');
  const checksum = text.slice(kind.length, kind.length + 32);
  const content = text.slice(kind.length + 32);
  if (!text.startsWith(kind) || checksum !== hash('md5', kind + content, 'hex')) return undefined;
  return JSON.parse(content);
}

/** The next record to read has this counter or a higher one. */
export interface IteratorPosition {
  readonly stream: string;
  readonly creation: number;
  readonly shardIndex: number;
  readonly counter: number;
}

export function encodeIterator(position: IteratorPosition, now: number): string {
  return encode('iterator', [position.stream, position.creation, position.shardIndex, position.counter, now]);
}

/** @throws AwsError InvalidArgumentException for garbage; ExpiredIteratorException after five minutes. */
export function decodeIterator(token: string, now: number): IteratorPosition {
  const content = decode('iterator', token) as [string, number, number, number, number] | undefined;
  if (content === undefined) throw invalidArgument('Invalid ShardIterator.');
  const [stream, creation, shardIndex, counter, issued] = content;
  if (now - issued > LIFETIME_MS) {
    throw new AwsError(
      'ExpiredIteratorException',
      `Iterator expired. The iterator was created at time ${new Date(issued).toISOString()} while right now it is ` +
        `${new Date(now).toISOString()} which is further in the future than the tolerated delay of ${LIFETIME_MS} milliseconds.`,
    );
  }
  return { stream, creation, shardIndex, counter };
}

export function encodePage(content: Readonly<Record<string, unknown>>, now: number): string {
  return encode('page', { ...content, issued: now });
}

/** @throws AwsError InvalidArgumentException for garbage; ExpiredNextTokenException after five minutes. */
export function decodePage(token: string, now: number): Readonly<Record<string, unknown>> {
  const content = decode('page', token) as Readonly<Record<string, unknown>> | undefined;
  if (content === undefined) throw invalidArgument('Invalid NextToken.');
  if (now - Number(content['issued']) > LIFETIME_MS) {
    throw new AwsError(
      'ExpiredNextTokenException',
      `The NextToken is older than ${LIFETIME_MS} milliseconds; start over without one.`,
    );
  }
  return content;
}
