/**
 * Multipart uploads, as directories: `upload.json` says what is to become of it, `<part>` holds a part's bytes and
 * `<part>.json`, written last, what S3 knows of it. They outlive the process.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { Bucket } from './bucket';
import { startChecksum } from './checksums';
import type { ChecksumAlgorithm } from './checksums';
import type { ObjectAttributes, StoredObject } from './stored-object';
import type { Checksum, Content, Upload } from './upload';

export interface MultipartUpload {
  readonly uploadId: string;
  readonly key: string;
  readonly initiated: number;
  readonly attributes: ObjectAttributes;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: Checksum['type'];
}

export interface Part {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: number;
  readonly checksum?: Checksum;
}

export interface CompletedPart {
  readonly partNumber: number;
  readonly etag: string | undefined;
}

/** Every part but the last. */
const SMALLEST_PART = 5 * 1024 * 1024;
const MOST_PARTS = 10_000;

export function createUpload(bucket: Bucket, upload: Omit<MultipartUpload, 'uploadId'>): string {
  const uploadId = randomUUID().replaceAll('-', '');
  const directory = join(bucket.uploadsDirectory, uploadId);
  mkdirSync(directory);
  writeJson(join(directory, 'upload.json'), { uploadId, ...upload });
  return uploadId;
}

/** @throws AwsError NoSuchUpload */
export function findUpload(bucket: Bucket, uploadId: string, key: string): MultipartUpload {
  const path = join(bucket.uploadsDirectory, uploadId, 'upload.json');
  const upload = /^[0-9a-f]{32}$/.test(uploadId) && existsSync(path) ? (readJson(path) as MultipartUpload) : undefined;
  if (upload?.key !== key) {
    throw new AwsError(
      'NoSuchUpload',
      'The specified upload does not exist. It may have been completed or aborted.',
      404,
      { UploadId: uploadId },
    );
  }
  return upload;
}

export function listUploads(bucket: Bucket): readonly MultipartUpload[] {
  return readdirSync(bucket.uploadsDirectory)
    .map((uploadId) => join(bucket.uploadsDirectory, uploadId, 'upload.json'))
    .filter((path) => existsSync(path))
    .map((path) => readJson(path) as MultipartUpload)
    .sort((a, b) => (a.key === b.key ? a.initiated - b.initiated : a.key < b.key ? -1 : 1));
}

export function savePart(bucket: Bucket, uploadId: string, partNumber: number, upload: Upload, now: number): Part {
  const path = join(bucket.uploadsDirectory, uploadId, String(partNumber));
  rmSync(`${path}.json`, { force: true });
  moveContent(upload.content, path);
  const part: Part = {
    partNumber,
    size: upload.size,
    etag: upload.md5.toString('hex'),
    lastModified: now,
    ...(upload.checksum !== undefined && { checksum: upload.checksum }),
  };
  writeJson(`${path}.json`, part);
  return part;
}

/** @throws AwsError InvalidArgument */
export function readPartNumber(text: string | null): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > MOST_PARTS) {
    throw new AwsError('InvalidArgument', `Part number must be an integer between 1 and ${MOST_PARTS}, inclusive`, 400);
  }
  return number;
}

export function listParts(bucket: Bucket, uploadId: string): readonly Part[] {
  const directory = join(bucket.uploadsDirectory, uploadId);
  return readdirSync(directory)
    .filter((name) => /^\d+\.json$/.test(name))
    .map((name) => readJson(join(directory, name)) as Part)
    .sort((a, b) => a.partNumber - b.partNumber);
}

export function removeUpload(bucket: Bucket, uploadId: string): void {
  rmSync(join(bucket.uploadsDirectory, uploadId), { recursive: true, force: true });
}

/**
 * Joins the parts and publishes the object; the upload is gone afterwards, and stays when `condition` refuses.
 * @throws AwsError InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML
 */
export async function completeUpload(
  bucket: Bucket,
  upload: MultipartUpload,
  chosen: readonly CompletedPart[],
  condition: (current: StoredObject | undefined) => void,
): Promise<StoredObject> {
  const parts = chooseParts(listParts(bucket, upload.uploadId), chosen);
  const file = join(bucket.stagingDirectory, randomUUID());
  const whole =
    upload.checksumAlgorithm !== undefined && upload.checksumType === 'FULL_OBJECT'
      ? startChecksum(upload.checksumAlgorithm)
      : undefined;
  const handle = await open(file, 'wx');
  try {
    for (const { partNumber } of parts) {
      for await (const bytes of createReadStream(join(bucket.uploadsDirectory, upload.uploadId, String(partNumber)), {
        highWaterMark: 1 << 20,
      })) {
        whole?.update(bytes as Buffer);
        await handle.writeFile(bytes as Buffer);
      }
    }
  } finally {
    await handle.close();
  }
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'));
  const checksum =
    whole === undefined ? compositeChecksum(upload, parts) : fullChecksum(upload.checksumAlgorithm!, whole.digest());
  try {
    const object = await bucket.put({
      key: upload.key,
      size: parts.reduce((sum, { size }) => sum + size, 0),
      etag: `${md5.digest('hex')}-${parts.length}`,
      attributes: upload.attributes,
      ...(checksum !== undefined && { checksum }),
      content: { file },
      reason: 'CompleteMultipartUpload',
      condition,
    });
    removeUpload(bucket, upload.uploadId);
    return object;
  } finally {
    rmSync(file, { force: true });
  }
}

function chooseParts(present: readonly Part[], chosen: readonly CompletedPart[]): readonly Part[] {
  if (chosen.length === 0) throw new AwsError('MalformedXML', 'You must specify at least one part', 400);
  if (chosen.some(({ partNumber }, index) => index > 0 && partNumber <= chosen[index - 1]!.partNumber)) {
    throw new AwsError(
      'InvalidPartOrder',
      'The list of parts was not in ascending order. Parts must be ordered by part number.',
      400,
    );
  }
  const byNumber = new Map(present.map((part) => [part.partNumber, part]));
  return chosen.map(({ partNumber, etag }, index) => {
    const part = byNumber.get(partNumber);
    if (part === undefined || (etag !== undefined && etag.replaceAll('"', '') !== part.etag)) {
      throw new AwsError(
        'InvalidPart',
        `Part ${partNumber} could not be found, or its entity tag does not match.`,
        400,
      );
    }
    if (part.size < SMALLEST_PART && index < chosen.length - 1) {
      throw new AwsError(
        'EntityTooSmall',
        `Part ${partNumber} has ${part.size} bytes; every part but the last needs ${SMALLEST_PART}`,
        400,
      );
    }
    return part;
  });
}

function fullChecksum(algorithm: ChecksumAlgorithm, digest: Buffer): Checksum {
  return { algorithm, value: digest.toString('base64'), type: 'FULL_OBJECT' };
}

/** The checksum of the parts' checksums, where every part has one. */
function compositeChecksum(upload: MultipartUpload, parts: readonly Part[]): Checksum | undefined {
  const algorithm = upload.checksumAlgorithm;
  if (algorithm === undefined || parts.some(({ checksum }) => checksum?.algorithm !== algorithm)) return undefined;
  const checksum = startChecksum(algorithm);
  for (const part of parts) checksum.update(Buffer.from(part.checksum!.value, 'base64'));
  return { algorithm, value: `${checksum.digest().toString('base64')}-${parts.length}`, type: 'COMPOSITE' };
}

function moveContent(content: Content, path: string): void {
  if ('file' in content) renameSync(content.file, path);
  else writeFileSync(path, content.bytes);
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
