import type { ObjectChange } from './stored-object';

/** An event as EventBridge takes it from S3. */
export interface S3Event {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': 'Object Created' | 'Object Deleted';
  readonly source: 'aws.s3';
  readonly account: string;
  /** ISO 8601, seconds. */
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

const ACCOUNT = '000000000000';
const REGION = 'us-east-1';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html */
export function objectEvent(bucket: string, change: ObjectChange, id: string): S3Event {
  const created = change.type === 'Object Created';
  return {
    version: '0',
    id,
    'detail-type': change.type,
    source: 'aws.s3',
    account: ACCOUNT,
    time: `${new Date(change.time).toISOString().slice(0, 19)}Z`,
    region: REGION,
    resources: [`arn:aws:s3:::${bucket}`],
    detail: {
      version: '0',
      bucket: { name: bucket },
      object: {
        key: change.key,
        ...(created && { size: change.size, etag: change.etag }),
        sequencer: change.sequencer,
      },
      'request-id': id.replaceAll('-', '').slice(0, 16).toUpperCase(),
      requester: ACCOUNT,
      'source-ip-address': '127.0.0.1',
      reason: change.reason,
      ...(!created && { 'deletion-type': 'Permanently Deleted' }),
    },
  };
}
