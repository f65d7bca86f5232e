/** Reads the lake's files from disk with DuckDB, which shares no code with the product. */
import { DuckDBInstance } from '@duckdb/node-api';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { PartitionManifest } from '../../../lib/contracts/documents';

export interface SealedPartitionFiles {
  readonly hour: string;
  readonly generation: number;
  readonly manifest: PartitionManifest;
}

/** The newest manifest of every partition of a use case. */
export function newestManifests(lake: string, useCase: string): SealedPartitionFiles[] {
  const newest = new Map<string, SealedPartitionFiles>();
  const root = path.join(lake, 'features', useCase);
  if (!existsSync(root)) return [];
  for (const leaf of readdirSync(root, { recursive: true }) as string[]) {
    if (path.basename(leaf) !== '_manifest.json') continue;
    const manifest = JSON.parse(readFileSync(path.join(root, leaf), 'utf8')) as PartitionManifest;
    const known = newest.get(manifest.hour);
    if (!known || known.generation < manifest.generation) {
      newest.set(manifest.hour, { hour: manifest.hour, generation: manifest.generation, manifest });
    }
  }
  return [...newest.values()].sort((a, b) => (a.hour < b.hour ? -1 : 1));
}

export async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(sql);
    return reader.getRowObjectsJson() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export function fileList(lake: string, keys: readonly string[]): string {
  return `[${keys.map((key) => `'${path.join(lake, key).replaceAll("'", "''")}'`).join(', ')}]`;
}
