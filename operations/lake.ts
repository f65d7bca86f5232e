/** The lake as an operator's tool sees it: the stores that the consumer uses, and a listing of the bucket. */
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../consumer/lake/stores/object-store';
import type { RegistryStore } from '../consumer/lake/stores/registry-store';
import type { Partition } from '../lib/contracts/lake-layout';

export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
}

export interface ObjectListing {
  /** Every object whose key begins with `prefix`, in ascending order of keys. */
  list(prefix: string): AsyncIterable<ListedObject>;
}

export interface Lake {
  readonly objects: ObjectStore;
  readonly listing: ObjectListing;
  readonly registry: RegistryStore;
}

/** Says how far a tool is: `done` of `total` things. */
export type Progress = (what: string, done: number, total: number) => void;

export class S3Listing implements ObjectListing {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
  ) {}

  async *list(prefix: string): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const { Contents = [], NextContinuationToken } = await this.client.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key, Size } of Contents) yield { key: Key!, bytes: Size ?? 0 };
      token = NextContinuationToken;
    } while (token !== undefined);
  }
}

/** Event hours `<dt>T<hour>`; `from` inclusive, `to` exclusive, undefined = no limit. */
export interface HourRange {
  readonly from?: string;
  readonly to?: string;
}

export function isWithin(hour: string, { from, to }: HourRange): boolean {
  return (from === undefined || hour >= from) && (to === undefined || hour < to);
}

const HIVE_KEY = /^[a-z]+\/([^/]+)\/dt=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\//;

/** The use case and hour of a key under readings/, features/ or quarantine/; undefined for any other key. */
export function partitionOfKey(key: string): Partition | undefined {
  const match = HIVE_KEY.exec(key);
  return match === null ? undefined : { useCase: match[1]!, dt: match[2]!, hour: match[3]! };
}

/** An object of the lake that is JSON; undefined where there is none. */
export async function readJson<Document>(
  objects: Pick<ObjectStore, 'get'>,
  key: string,
): Promise<Document | undefined> {
  const bytes = await objects.get(key);
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Document);
}
