/** The lake bucket in memory, with S3's conditional write, behind the SDK's client interface. */
import type { S3Client } from '@aws-sdk/client-s3';
import { operationOf, serviceError, type SimulatedProcess } from '../process';

export interface StoredObject {
  readonly body: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
}

interface S3Input {
  readonly Key: string;
  readonly Body?: Uint8Array | string;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly IfNoneMatch?: string;
  readonly Range?: string;
}

/** Of a Buffer too, whose own `slice` would share the bytes. */
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes);

export class Bucket {
  readonly objects = new Map<string, StoredObject>();
  /** Called with every object that was created. */
  onCreated: (key: string, object: StoredObject) => void = () => undefined;
  /** Called where a PUT would have replaced an object: the bucket policy refuses it. */
  onOverwrite: (key: string) => void = () => undefined;

  json<Document>(key: string): Document | undefined {
    const object = this.objects.get(key);
    return object && (JSON.parse(Buffer.from(object.body).toString('utf8')) as Document);
  }

  keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  /** @param createOnly Whether the bucket policy refuses a PUT that could replace an object. */
  client(process: SimulatedProcess, createOnly = true): S3Client {
    const send = ({ constructor: { name }, input }: { constructor: { name: string }; input: S3Input }) => {
      const operation = operationOf(name);
      return process.request('s3', `${operation} ${input.Key}`, async () => this.call(operation, input, createOnly));
    };
    return { send } as unknown as S3Client;
  }

  call(operation: string, { Key, Body, Metadata, IfNoneMatch, Range }: S3Input, createOnly = true): unknown {
    const object = this.objects.get(Key);
    if (operation === 'PutObject') {
      if (object !== undefined && IfNoneMatch === '*') throw serviceError('PreconditionFailed', 412);
      if (object !== undefined && createOnly) this.onOverwrite(Key);
      const body = typeof Body === 'string' ? Buffer.from(Body) : copyOf(Body!);
      const created = { body, metadata: { ...Metadata } };
      this.objects.set(Key, created);
      this.onCreated(Key, created);
      return {};
    }
    if (object === undefined) throw serviceError(operation === 'HeadObject' ? 'NotFound' : 'NoSuchKey', 404);
    if (operation === 'HeadObject') return { ContentLength: object.body.length, Metadata: object.metadata };
    if (operation !== 'GetObject') throw serviceError('NotImplemented', 501);
    const range = /^bytes=(\d+)-(\d+)$/.exec(Range ?? '');
    const body = range === null ? object.body : object.body.subarray(Number(range[1]), Number(range[2]) + 1);
    return { Body: { transformToByteArray: async () => copyOf(body) } };
  }
}
