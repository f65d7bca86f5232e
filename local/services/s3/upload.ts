/** Takes an uploaded body in: undoes aws-chunked, hashes while it passes, keeps small bodies in memory and others in a file. */
import { createHash, randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { HttpRequest } from '../../gateway/service';
import { decodeAwsChunked } from './aws-chunked';
import { CHECKSUM_ALGORITHMS, checksumHeader, startChecksum } from './checksums';
import type { ChecksumAlgorithm } from './checksums';

const IN_MEMORY_BYTES = 1024 * 1024;

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; a composite one of a multipart upload ends in `-<parts>`. */
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

export type Content = { readonly bytes: Uint8Array } | { readonly file: string };

export interface Upload {
  readonly size: number;
  readonly md5: Buffer;
  readonly checksum?: Checksum;
  /** A file is the receiver's to move or remove. */
  readonly content: Content;
}

/**
 * @param stagingDirectory where a body above 1 MiB is kept
 * @throws AwsError BadDigest where Content-MD5 or a checksum does not match, IncompleteBody where bytes are missing.
 */
export async function receiveUpload(request: HttpRequest, stagingDirectory: string): Promise<Upload> {
  const headers = request.headers;
  const trailers: Record<string, string> = {};
  const chunked =
    /^STREAMING-/.test(headers['x-amz-content-sha256'] ?? '') ||
    /\baws-chunked\b/.test(headers['content-encoding'] ?? '');
  const body = chunked ? decodeAwsChunked(request.body, trailers) : request.body;
  const algorithm = declaredAlgorithm(headers);
  const received = await spool(body, algorithm, stagingDirectory);
  try {
    verify(received, algorithm, headers, trailers, chunked);
  } catch (error) {
    if ('file' in received.content) await rm(received.content.file, { force: true });
    throw error;
  }
  return {
    size: received.size,
    md5: received.md5,
    content: received.content,
    ...(algorithm !== undefined && {
      checksum: { algorithm, value: received.checksum!.toString('base64'), type: 'FULL_OBJECT' },
    }),
  };
}

interface Spooled {
  readonly size: number;
  readonly md5: Buffer;
  readonly checksum?: Buffer;
  readonly content: Content;
}

async function spool(
  body: AsyncIterable<Uint8Array>,
  algorithm: ChecksumAlgorithm | undefined,
  stagingDirectory: string,
): Promise<Spooled> {
  const md5 = createHash('md5');
  const checksum = algorithm === undefined ? undefined : startChecksum(algorithm);
  let held: Uint8Array[] = [];
  let size = 0;
  let staged: { path: string; handle: FileHandle } | undefined;
  try {
    for await (const bytes of body) {
      md5.update(bytes);
      checksum?.update(bytes);
      size += bytes.length;
      held.push(bytes);
      if (size > IN_MEMORY_BYTES) {
        if (staged === undefined) {
          const path = join(stagingDirectory, randomUUID());
          staged = { path, handle: await open(path, 'wx') };
        }
        await staged.handle.writeFile(Buffer.concat(held));
        held = [];
      }
    }
  } catch (error) {
    await staged?.handle.close();
    if (staged !== undefined) await rm(staged.path, { force: true });
    throw error;
  }
  await staged?.handle.close();
  const content = staged === undefined ? { bytes: Buffer.concat(held) } : { file: staged.path };
  return { size, md5: md5.digest(), content, ...(checksum !== undefined && { checksum: checksum.digest() }) };
}

/** The algorithm whose value the request carries, in a header or as a trailer. */
function declaredAlgorithm(headers: HttpRequest['headers']): ChecksumAlgorithm | undefined {
  const trailer = headers['x-amz-trailer']?.toLowerCase();
  return CHECKSUM_ALGORITHMS.find((algorithm) => {
    const name = checksumHeader(algorithm);
    return headers[name] !== undefined || trailer?.includes(name) === true;
  });
}

function verify(
  received: Spooled,
  algorithm: ChecksumAlgorithm | undefined,
  headers: HttpRequest['headers'],
  trailers: Readonly<Record<string, string>>,
  chunked: boolean,
): void {
  const declaredSize = headers[chunked ? 'x-amz-decoded-content-length' : 'content-length'];
  if (declaredSize !== undefined && Number(declaredSize) !== received.size) {
    throw new AwsError('IncompleteBody', `The request announced ${declaredSize} bytes and holds ${received.size}`, 400);
  }
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== received.md5.toString('base64')) throw badDigest('Content-MD5');
  if (algorithm === undefined) return;
  const name = checksumHeader(algorithm);
  const expected = headers[name] ?? trailers[name];
  if (expected === undefined)
    throw new AwsError('InvalidRequest', `The trailer ${name} was announced and did not come`, 400);
  if (expected !== received.checksum!.toString('base64')) throw badDigest(algorithm);
}

function badDigest(what: string): AwsError {
  return new AwsError('BadDigest', `The ${what} you specified did not match the calculated checksum.`, 400);
}
