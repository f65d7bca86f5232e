import type { Checksum } from './upload';

/** What S3 keeps about an object beside its bytes. */
export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Without quotes: MD5 in hex, with `-<parts>` after a multipart upload. */
  readonly etag: string;
  /** Epoch milliseconds. */
  readonly lastModified: number;
  /** Rises with each change of the bucket: 16 hex digits. */
  readonly sequencer: string;
  readonly checksum?: Checksum;
  readonly attributes: ObjectAttributes;
}

/** What a writer says about an object. */
export interface ObjectAttributes {
  /** Content-Type, Cache-Control, Content-Disposition, Content-Encoding, Content-Language, Expires; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** User metadata: names without `x-amz-meta-`, lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Why an object came or went; `reason` of its EventBridge event. */
export type ChangeReason = 'PutObject' | 'CopyObject' | 'CompleteMultipartUpload' | 'DeleteObject';

/** A change that EventBridge is to hear of. */
export interface ObjectChange {
  readonly type: 'Object Created' | 'Object Deleted';
  readonly reason: ChangeReason;
  readonly key: string;
  readonly size?: number;
  readonly etag?: string;
  readonly sequencer: string;
  /** Epoch milliseconds. */
  readonly time: number;
}
