/** A bucket of a local S3 behind HTTP, spoken to through the real SDK; fresh for each test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, PutObjectCommandOutput } from '@aws-sdk/client-s3';
import { systemClock } from '../../../local/gateway/service';
import { S3Service } from '../../../local/services/s3';
import type { S3Event, S3ServiceOptions } from '../../../local/services/s3';
import { serve } from './serve';
import type { TestServer } from './serve';

export const Bucket = 'lake';

class Lake {
  directory = '';
  service!: S3Service;
  server!: TestServer;
  client!: S3Client;
  events: S3Event[] = [];
  fault: S3ServiceOptions['fault'];

  async start(): Promise<void> {
    this.service = new S3Service({
      directory: this.directory,
      clock: systemClock,
      emit: (event) => void this.events.push(event),
      fault: (...call) => this.fault?.(...call),
    });
    this.server = await serve(this.service);
    this.client = connect(this.server.endpoint);
  }

  async stop(): Promise<void> {
    this.client.destroy();
    await this.server.close();
    this.service.close();
  }
}

const lake = new Lake();

/** Registers the bucket's life around each test of the file. */
export function useLake(): Lake {
  beforeEach(async () => {
    lake.directory = mkdtempSync(join(tmpdir(), 's3-'));
    lake.events = [];
    lake.fault = undefined;
    await lake.start();
    await lake.client.send(new CreateBucketCommand({ Bucket }));
  });
  afterEach(async () => {
    await lake.stop();
    rmSync(lake.directory, { recursive: true, force: true });
  });
  return lake;
}

export function connect(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'LOCALROOT0000000000', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
}

export function put(Key: string, Body: string | Uint8Array, more: object = {}): Promise<PutObjectCommandOutput> {
  return lake.client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
}

export async function get(Key: string, more: object = {}): Promise<Buffer> {
  return bytesOf(await lake.client.send(new GetObjectCommand({ Bucket, Key, ...more })));
}

export async function bytesOf(output: GetObjectCommandOutput): Promise<Buffer> {
  return Buffer.from(await output.Body!.transformToByteArray());
}
