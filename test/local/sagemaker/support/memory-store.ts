import { AwsError } from '../../../../local/gateway/service';
import type { ObjectStore } from '../../../../local/services/sagemaker';

/** Buckets in memory; calls can be made to fail. */
export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>();
  /** Calls of get for keys with this text fail so many times, as S3 does under load. */
  failing: { contains: string; times: number } | undefined;

  async get(bucket: string, key: string): Promise<Uint8Array> {
    if (this.failing && key.includes(this.failing.contains) && this.failing.times-- > 0) {
      throw new AwsError('InternalError', 'try again', 500);
    }
    const body = this.objects.get(`${bucket}/${key}`);
    if (!body) throw new AwsError('NoSuchKey', `no key ${key}`, 404);
    return body;
  }

  async put(bucket: string, key: string, body: Uint8Array): Promise<void> {
    this.objects.set(`${bucket}/${key}`, body);
  }

  async list(bucket: string, prefix: string): Promise<readonly string[]> {
    return [...this.objects.keys()]
      .filter((path) => path.startsWith(`${bucket}/${prefix}`))
      .map((path) => path.slice(bucket.length + 1))
      .sort();
  }

  text(path: string): string {
    return Buffer.from(this.objects.get(path)!).toString('utf8');
  }
}
