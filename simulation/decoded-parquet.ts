/**
 * `hyparquet` for the bundle that runs many seeds (bin/support/simulation-workers), with a memory: every bucket of every
 * generation decodes the same few small files, and what a file decodes to follows from its bytes alone.
 */
import { hash } from 'node:crypto';
import * as hyparquet from 'hyparquet';
import type { AsyncBuffer, FileMetaData, ParquetReadOptions } from 'hyparquet';

type Chunk = Parameters<NonNullable<ParquetReadOptions['onChunk']>>[0];

/** Beyond, all is forgotten: files are of one seed, and seeds have hundreds. */
const MAXIMUM_FILES = 500;

interface Decoded {
  metadata?: FileMetaData;
  /** By columns and rows. */
  readonly chunks: Map<string, readonly Chunk[]>;
}

const decoded = new Map<string, Decoded>();

function decodedOf(file: ArrayBuffer): Decoded {
  const key = hash('md5', new Uint8Array(file), 'base64');
  let known = decoded.get(key);
  if (known === undefined) {
    if (decoded.size >= MAXIMUM_FILES) decoded.clear();
    decoded.set(key, (known = { chunks: new Map() }));
  }
  return known;
}

export const { parquetMetadataAsync } = hyparquet;

export function parquetMetadata(file: ArrayBuffer): FileMetaData {
  const known = decodedOf(file);
  return (known.metadata ??= hyparquet.parquetMetadata(file));
}

/** Only what the consumer asks for: chunks of columns, by `onChunk`. Who gets them must not change them. */
export async function parquetRead(options: ParquetReadOptions & { file: AsyncBuffer | ArrayBuffer }): Promise<void> {
  const { file, columns, rowStart, rowEnd, onChunk } = options;
  if (!(file instanceof ArrayBuffer) || onChunk === undefined) return hyparquet.parquetRead(options);
  const { chunks } = decodedOf(file);
  const key = JSON.stringify([columns, rowStart, rowEnd]);
  let known = chunks.get(key);
  if (known === undefined) {
    const read: Chunk[] = [];
    await hyparquet.parquetRead({ ...options, onChunk: (chunk) => void read.push(chunk) });
    chunks.set(key, (known = read));
  }
  for (const chunk of known) onChunk(chunk);
}
