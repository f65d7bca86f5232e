/**
 * S3 over plain files: the object `readings/a.parquet` of bucket `lake` is the file `<directory>/lake/readings/a.parquet`
 * (see key-path.ts), complete the moment it appears. Everything else stands under `<directory>/.meta`.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, HttpRequest, HttpResponse, RestService } from '../../gateway/service';
import { noSuchKey } from './bucket';
import { bucketOperations, renderErrorDocument } from './bucket-operations';
import type { S3Event } from './events';
import { multipartOperations } from './multipart-operations';
import { objectOperations, readBytes } from './object-operations';
import type { Operation } from './operation';
import { readOperation, readTarget } from './requests';
import { S3Store } from './store';

export interface S3ServiceOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Takes "Object Created" and "Object Deleted" events of buckets with EventBridge on; it is called again when it fails. */
  readonly emit: (event: S3Event) => void | Promise<void>;
  /** For tests of failure handling: an error answers instead of the operation, such as a 409 ConditionalRequestConflict. */
  readonly fault?: (operation: string, bucket: string, key: string) => AwsError | undefined;
}

export interface ObjectSummary {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  /** Epoch milliseconds. */
  readonly lastModified: number;
}

/** Objects for the other engines of the same process, without HTTP. */
export interface S3Objects {
  /** @throws AwsError NoSuchBucket, NoSuchKey */
  get(bucket: string, key: string): Promise<Buffer>;
  put(bucket: string, key: string, bytes: Uint8Array, options?: PutOptions): Promise<{ readonly etag: string }>;
  /** Every object whose key starts with the prefix, in S3's order. */
  list(bucket: string, prefix: string): Promise<readonly ObjectSummary[]>;
  exists(bucket: string, key: string): Promise<boolean>;
  delete(bucket: string, key: string): Promise<void>;
  /** The object's file, or undefined where there is no such object. For reading only. */
  path(bucket: string, key: string): string | undefined;
}

export interface PutOptions {
  readonly contentType?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Refuses with 412 PreconditionFailed where the key exists. */
  readonly createOnly?: boolean;
}

const operations: Readonly<Record<string, Operation>> = {
  ...bucketOperations,
  ...objectOperations,
  ...multipartOperations,
};

export class S3Service implements RestService {
  readonly name = 's3';
  readonly protocol = 'rest';
  readonly objects: S3Objects;
  /** Buckets and their settings, for whoever provisions them in process. */
  readonly store: S3Store;

  /** Opens what stands in the directory. */
  constructor(private readonly options: S3ServiceOptions) {
    this.store = new S3Store(options);
    this.objects = createObjects(this.store);
  }

  /** The API operation that a request asks for, such as `PutObject`. @throws AwsError NotImplemented */
  operationOf(request: HttpRequest): string {
    return readOperation(request, readTarget(request));
  }

  async handle(request: HttpRequest, caller: Caller): Promise<HttpResponse> {
    const target = readTarget(request);
    const name = readOperation(request, target);
    const fault = this.options.fault?.(name, target.bucket, target.key);
    if (fault !== undefined) throw fault;
    const operation = operations[name];
    if (operation === undefined) throw new AwsError('NotImplemented', `The local S3 has no ${name}`, 501);
    return operation({ store: this.store, clock: this.options.clock, request, caller, ...target });
  }

  renderError(error: AwsError, requestId: string): HttpResponse {
    return {
      status: error.status,
      headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId },
      body: renderErrorDocument(error, requestId),
    };
  }

  /** Announces changes that a former process could not; call once EventBridge's rules stand. @returns how many */
  redeliverEvents(): number {
    return this.store.redeliverEvents();
  }

  close(): void {
    this.store.close();
  }
}

function createObjects(store: S3Store): S3Objects {
  return {
    async get(bucket, key) {
      const opened = store.bucket(bucket).open(key);
      if (opened === undefined) throw noSuchKey(key);
      try {
        return readBytes(opened.descriptor, 0, opened.object.size);
      } finally {
        closeSync(opened.descriptor);
      }
    },
    async put(bucket, key, bytes, { contentType = 'binary/octet-stream', metadata = {}, createOnly = false } = {}) {
      const object = await store.bucket(bucket).put({
        key,
        size: bytes.length,
        etag: createHash('md5').update(bytes).digest('hex'),
        attributes: { headers: { 'content-type': contentType }, metadata },
        content: { bytes },
        reason: 'PutObject',
        condition: (current) => {
          if (createOnly && current !== undefined)
            throw new AwsError('PreconditionFailed', `The key ${key} exists`, 412);
        },
      });
      return { etag: object.etag };
    },
    async list(bucket, prefix) {
      const found = store.bucket(bucket);
      const summaries: ObjectSummary[] = [];
      for (let at = found.keys.indexFrom(prefix); ; at++) {
        const key = found.keys.at(at);
        if (key === undefined || !key.startsWith(prefix)) return summaries;
        const { size, etag, lastModified } = found.find(key)!;
        summaries.push({ key, size, etag, lastModified });
      }
    },
    async exists(bucket, key) {
      return store.bucket(bucket).find(key) !== undefined;
    },
    async delete(bucket, key) {
      await store.bucket(bucket).delete(key);
    },
    path(bucket, key) {
      const found = store.bucket(bucket);
      if (found.find(key) === undefined) return undefined;
      const path = found.pathOf(key);
      return existsSync(path) ? path : undefined;
    },
  };
}
