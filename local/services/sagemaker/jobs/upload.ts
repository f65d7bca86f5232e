import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectStore } from '../ports';
import { parseS3Uri } from '../s3-uri';

/** Puts every file below the directory under the URI, by its relative path; returns how many there were. */
export async function upload(store: ObjectStore, directory: string, uri: string, roleArn: string): Promise<number> {
  const { bucket, key } = parseS3Uri(uri);
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  const files = await filesBelow(directory);
  for (const path of files) await store.put(bucket, `${prefix}${path}`, await readFile(join(directory, path)), roleArn);
  return files.length;
}

/** Relative paths of all files below a directory, with forward slashes, ascending; none where it does not exist. */
export async function filesBelow(directory: string): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(directory.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort();
}
