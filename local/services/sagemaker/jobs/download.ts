/** S3 data of a job onto its disk, laid out as the service does it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ObjectStore } from '../ports';
import { type S3Location, parseS3Uri } from '../s3-uri';
import { StepFailure } from '../pipeline/step-failure';

export interface DataSource {
  readonly uri: string;
  readonly type: 'S3Prefix' | 'ManifestFile';
  readonly gzip: boolean;
}

interface Placed {
  readonly key: string;
  /** Below the input's directory. */
  readonly path: string;
}

/**
 * Writes the source's objects below `directory` and returns how many there were.
 * - `S3Prefix`: every key that begins with the prefix, under its name relative to it.
 * - `ManifestFile`: the listed keys, each under its whole key, as the service does (aws/sagemaker-python-sdk#723).
 * @throws StepFailure where nothing is there, or the manifest is malformed.
 */
export async function download(
  store: ObjectStore,
  source: DataSource,
  directory: string,
  roleArn: string,
): Promise<number> {
  await mkdir(directory, { recursive: true });
  const location = parseS3Uri(source.uri);
  const { bucket, objects } =
    source.type === 'ManifestFile'
      ? await listManifest(store, location, roleArn)
      : { bucket: location.bucket, objects: await listPrefix(store, location, roleArn) };
  if (objects.length === 0) {
    throw new StepFailure(
      `ClientError: No S3 objects found under S3 URL "${source.uri}"; check that the bucket and prefix hold data`,
    );
  }
  for (const { key, path } of objects) {
    const target = join(directory, normalize(`/${path}`));
    await mkdir(dirname(target), { recursive: true });
    const body = await store.get(bucket, key, roleArn);
    await writeFile(target, source.gzip ? gunzipSync(body) : body);
  }
  return objects.length;
}

async function listPrefix(store: ObjectStore, { bucket, key: prefix }: S3Location, roleArn: string): Promise<Placed[]> {
  const keys = await store.list(bucket, prefix, roleArn);
  return keys.filter((key) => !key.endsWith('/')).map((key) => ({ key, path: relativeTo(prefix, key) }));
}

/** Prefix `a/b` and key `a/b/c` → `c`; prefix `a/b` and key `a/bc` → `bc`; the key itself → its last part. */
function relativeTo(prefix: string, key: string): string {
  if (prefix === '') return key;
  const folder = prefix.endsWith('/') ? prefix : `${prefix}/`;
  return key.startsWith(folder) ? key.slice(folder.length) : key.slice(prefix.lastIndexOf('/') + 1);
}

/** `[{"prefix": "s3://bucket/path/"}, "key", …]` */
async function listManifest(
  store: ObjectStore,
  location: S3Location,
  roleArn: string,
): Promise<{ bucket: string; objects: Placed[] }> {
  const where = `s3://${location.bucket}/${location.key}`;
  const text = Buffer.from(await store.get(location.bucket, location.key, roleArn)).toString('utf8');
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new StepFailure(`ClientError: the manifest ${where} is not JSON`);
  }
  const [head, ...keys] = Array.isArray(manifest) ? (manifest as unknown[]) : [];
  const prefix = (head as { prefix?: unknown } | undefined)?.prefix;
  if (typeof prefix !== 'string')
    throw new StepFailure(`ClientError: the manifest ${where} must begin with {"prefix": "s3://…"}`);
  if (!keys.every((key) => typeof key === 'string'))
    throw new StepFailure(`ClientError: the manifest ${where} must list keys as strings`);
  const base = parseS3Uri(prefix);
  const objects = keys.map((key) => ({ key: `${base.key}${key}`, path: `${base.key}${key}` }));
  return { bucket: base.bucket, objects };
}
