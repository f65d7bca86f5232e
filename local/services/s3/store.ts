/** All buckets, their configuration, and the events that EventBridge is owed. */
import { randomUUID } from 'node:crypto';
import { rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { Clock } from '../../gateway/service';
import { Journal } from '../../storage/journal';
import { Bucket } from './bucket';
import { parseBucketPolicy } from './bucket-policy';
import type { BucketPolicy } from './bucket-policy';
import { objectEvent } from './events';
import type { S3Event } from './events';
import type { ObjectChange } from './stored-object';

/** Subresources of a bucket that are stored as they came and returned so. */
export type BucketSetting =
  | 'versioning'
  | 'notification'
  | 'policy'
  | 'encryption'
  | 'publicAccessBlock'
  | 'tagging'
  | 'lifecycle'
  | 'logging'
  | 'ownershipControls'
  | 'cors';

type Entry =
  | { readonly op: 'create'; readonly bucket: string; readonly time: number }
  | { readonly op: 'delete'; readonly bucket: string }
  | { readonly op: 'set'; readonly bucket: string; readonly setting: BucketSetting; readonly body?: string };

interface BucketRecord {
  readonly bucket: Bucket;
  readonly created: number;
  readonly settings: Map<BucketSetting, string>;
  announces: boolean;
  policy?: BucketPolicy;
}

export interface StoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly emit: (event: S3Event) => void | Promise<void>;
}

const LONGEST_RETRY_MS = 30_000;

export class S3Store {
  private readonly buckets = new Map<string, BucketRecord>();
  private readonly journal: Journal<Entry>;
  private readonly retries = new Set<() => void>();
  private closed = false;

  /** Opens what stands in the directory. */
  constructor(private readonly options: StoreOptions) {
    const replayed: Entry[] = [];
    this.journal = Journal.open<Entry>(join(options.directory, '.meta', 'buckets.jsonl'), (entry) =>
      replayed.push(entry),
    );
    const alive = new Map<string, number>();
    for (const entry of replayed) {
      if (entry.op === 'create') alive.set(entry.bucket, entry.time);
      else if (entry.op === 'delete') alive.delete(entry.bucket);
    }
    for (const [name, time] of alive) this.open(name, time);
    for (const entry of replayed) {
      const record = this.buckets.get(entry.bucket);
      if (record === undefined) continue;
      if (entry.op === 'set') this.applySetting(record, entry.setting, entry.body);
      // A bucket created anew starts without settings.
      else for (const setting of [...record.settings.keys()]) this.applySetting(record, setting, undefined);
    }
  }

  list(): readonly { readonly name: string; readonly created: number }[] {
    return [...this.buckets]
      .map(([name, { created }]) => ({ name, created }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.buckets.has(name);
  }

  /** @throws AwsError NoSuchBucket */
  bucket(name: string): Bucket {
    return this.record(name).bucket;
  }

  policyOf(name: string): BucketPolicy | undefined {
    return this.record(name).policy;
  }

  setting(name: string, setting: BucketSetting): string | undefined {
    return this.record(name).settings.get(setting);
  }

  /** Creating a bucket that one owns succeeds in us-east-1. @throws AwsError InvalidBucketName */
  async create(name: string): Promise<void> {
    if (!/^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) || name.includes('..')) {
      throw new AwsError(
        'InvalidBucketName',
        `The bucket name ${JSON.stringify(name)} is not valid: 3–63 lower-case letters, digits, hyphens and dots`,
        400,
      );
    }
    if (this.buckets.has(name)) return;
    const time = this.options.clock.now();
    this.open(name, time);
    await this.journal.append({ op: 'create', bucket: name, time });
  }

  /** @throws AwsError BucketNotEmpty, NoSuchBucket */
  async delete(name: string): Promise<void> {
    const { bucket } = this.record(name);
    if (bucket.keys.size > 0) throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
    this.buckets.delete(name);
    bucket.close();
    await this.journal.append({ op: 'delete', bucket: name });
    rmSync(this.metaDirectory(name), { recursive: true, force: true });
    try {
      rmdirSync(join(this.options.directory, name));
    } catch {
      // Files that are no objects stay.
    }
  }

  /** undefined takes the setting away. @throws AwsError MalformedPolicy for a policy that is no JSON object. */
  async configure(name: string, setting: BucketSetting, body: string | undefined): Promise<void> {
    this.applySetting(this.record(name), setting, body);
    await this.journal.append({ op: 'set', bucket: name, setting, ...(body !== undefined && { body }) });
  }

  /** Announces what a former process could not: call once whoever takes events is ready. @returns how many */
  redeliverEvents(): number {
    let count = 0;
    for (const { bucket } of this.buckets.values()) {
      for (const change of bucket.untoldChanges) {
        this.announce(bucket, change, 1_000);
        count++;
      }
    }
    return count;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const cancel of this.retries) cancel();
    for (const { bucket } of this.buckets.values()) bucket.close();
    this.journal.close();
  }

  private record(name: string): BucketRecord {
    const record = this.buckets.get(name);
    if (record === undefined)
      throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404, { BucketName: name });
    return record;
  }

  private open(name: string, created: number): void {
    const record: BucketRecord = {
      created,
      settings: new Map(),
      announces: false,
      bucket: new Bucket({
        name,
        directory: join(this.options.directory, name),
        metaDirectory: this.metaDirectory(name),
        clock: this.options.clock,
        announces: () => record.announces,
        announce: (change) => this.announce(record.bucket, change, 1_000),
      }),
    };
    this.buckets.set(name, record);
  }

  private metaDirectory(name: string): string {
    return join(this.options.directory, '.meta', name);
  }

  private applySetting(record: BucketRecord, setting: BucketSetting, body: string | undefined): void {
    if (setting === 'policy') record.policy = body === undefined ? undefined : parseBucketPolicy(body);
    if (setting === 'notification') record.announces = body !== undefined && /<EventBridgeConfiguration\b/.test(body);
    if (body === undefined) record.settings.delete(setting);
    else record.settings.set(setting, body);
  }

  /** Tries until it is taken: S3 delivers to EventBridge at least once. */
  private announce(bucket: Bucket, change: ObjectChange, retryMs: number): void {
    const deliver = async (): Promise<void> => {
      await this.options.emit(objectEvent(bucket.name, change, randomUUID()));
      if (!this.closed) await bucket.told(change);
    };
    deliver().catch(() => {
      if (this.closed) return;
      const cancel = this.options.clock.after(retryMs, () => {
        this.retries.delete(cancel);
        this.announce(bucket, change, Math.min(2 * retryMs, LONGEST_RETRY_MS));
      });
      this.retries.add(cancel);
    });
  }
}
