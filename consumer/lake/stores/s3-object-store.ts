/** The lake bucket in S3. */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../clock';
import type { ObjectHead, ObjectStore } from './object-store';

const ATTEMPTS = 8;
const WAIT_MS = 50;

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

export class S3ObjectStore implements ObjectStore {
  constructor(
    private readonly client: S3Client,
    private readonly bucket: string,
    private readonly clock: Clock,
  ) {}

  /** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
  async create(
    key: string,
    body: Uint8Array,
    metadata: Readonly<Record<string, string>>,
  ): Promise<'created' | 'exists'> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.client.send(
          new PutObjectCommand({
            Bucket: this.bucket,
            Key: key,
            Body: body,
            ContentLength: body.length,
            ContentType: contentType(key),
            IfNoneMatch: '*',
            Metadata: { ...metadata },
          }),
        );
        return 'created';
      } catch (error) {
        const status = statusOf(error);
        if (status === 412) return 'exists';
        // 409: another conditional write of this key was under way. 503: slow down; the SDK gave up on it.
        if ((status !== 409 && status !== 503) || attempt >= ATTEMPTS) throw error;
        await this.clock.sleep(WAIT_MS * 2 ** attempt);
      }
    }
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    try {
      const { ContentLength = 0, Metadata = {} } = await this.client.send(
        new HeadObjectCommand({ Bucket: this.bucket, Key: key }),
      );
      return { bytes: ContentLength, metadata: Metadata };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async get(key: string, range?: { start: number; end: number }): Promise<Uint8Array | undefined> {
    try {
      const { Body } = await this.client.send(
        new GetObjectCommand({
          Bucket: this.bucket,
          Key: key,
          ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
        }),
      );
      return await Body!.transformToByteArray();
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }
}

function contentType(key: string): string {
  if (key.endsWith('.parquet')) return 'application/vnd.apache.parquet';
  return key.endsWith('.ndjson') ? 'application/x-ndjson' : 'application/json';
}
