/**
 * Where things stand in the lake bucket and the artifact bucket. Every S3 key in the product is built here.
 *
 *     lake bucket      readings/<use-case>/dt=YYYY-MM-DD/hour=HH/<shard>-<start>-<end>-<id>.parquet      create-only
 *                      features/<use-case>/dt=…/hour=…/gen=N/{_inputs.json, part-<bucket>.parquet, _manifest.json}   create-only
 *                      quarantine/<use-case>/dt=…/hour=…/<shard>-<start>-<end>-<id>.ndjson               hour of arrival
 *     artifact bucket  datasets/<use-case>/<dataset hash>/partitions.manifest
 *                      training/<use-case>/<dataset hash>/{train,validation,test,dataset}/
 *                      models/<use-case>/<execution>/…, evaluations/<use-case>/<execution>/evaluation.json
 *                      athena/…                                                                         query results
 */

export const HOUR_MS = 3_600_000;

/** One event hour (UTC) of one use case: the unit that is folded, sealed and trained on. */
export interface Partition {
  readonly useCase: string;
  /** `YYYY-MM-DD` */
  readonly dt: string;
  /** `HH`, 00–23 */
  readonly hour: string;
}

/** The partition that an event time (epoch milliseconds) belongs to. */
export function partitionOf(useCase: string, eventTime: number): Partition {
  const iso = new Date(Math.floor(eventTime / HOUR_MS) * HOUR_MS).toISOString();
  return { useCase, dt: iso.slice(0, 10), hour: iso.slice(11, 13) };
}

/** First instant of the partition's hour, epoch milliseconds. */
export function partitionStart(partition: Partition): number {
  return Date.parse(`${partition.dt}T${partition.hour}:00:00.000Z`);
}

/** First instant after the partition's hour, epoch milliseconds. */
export function partitionEnd(partition: Partition): number {
  return partitionStart(partition) + HOUR_MS;
}

function hivePath(partition: Partition): string {
  return `${partition.useCase}/dt=${partition.dt}/hour=${partition.hour}`;
}

export const READINGS_PREFIX = 'readings/';
export const FEATURES_PREFIX = 'features/';
export const QUARANTINE_PREFIX = 'quarantine/';
/** Of the artifact bucket: what Athena writes must never come near what is create-only. */
export const ATHENA_RESULTS_PREFIX = 'athena/';

/** `name` is `<shard>-<start>-<end>-<id>`. */
export function segmentKey(partition: Partition, name: string): string {
  return `${READINGS_PREFIX}${hivePath(partition)}/${name}.parquet`;
}

/** Quarantine is kept by the hour of arrival, since an event time may be what is wrong. */
export function quarantineKey(partition: Partition, name: string): string {
  return `${QUARANTINE_PREFIX}${hivePath(partition)}/${name}.ndjson`;
}

/** The Glue partition's location for one generation, with a closing slash. */
export function generationPrefix(partition: Partition, generation: number): string {
  return `${FEATURES_PREFIX}${hivePath(partition)}/gen=${generation}/`;
}

export function inputsKey(partition: Partition, generation: number): string {
  return `${generationPrefix(partition, generation)}_inputs.json`;
}

export function partKey(partition: Partition, generation: number, bucket: number): string {
  return `${generationPrefix(partition, generation)}part-${String(bucket).padStart(5, '0')}.parquet`;
}

export function manifestKey(partition: Partition, generation: number): string {
  return `${generationPrefix(partition, generation)}_manifest.json`;
}

/** What the S3 event rule matches; `*` spans slashes in an EventBridge wildcard. */
export const MANIFEST_KEY_WILDCARD = `${FEATURES_PREFIX}*/_manifest.json`;

const GENERATION_KEY =
  /^features\/([^/]+)\/dt=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/gen=(\d+)\/(_inputs|_manifest)\.json$/;

function parseGenerationKey(
  key: string,
  document: '_inputs' | '_manifest',
): { partition: Partition; generation: number } | undefined {
  const match = GENERATION_KEY.exec(key);
  if (match?.[5] !== document) return undefined;
  const [, useCase, dt, hour, generation] = match as unknown as [string, string, string, string, string];
  return { partition: { useCase, dt, hour }, generation: Number(generation) };
}

/** The partition and generation that the key of an `_inputs.json` names, or undefined for any other key. */
export function parseInputsKey(key: string): { partition: Partition; generation: number } | undefined {
  return parseGenerationKey(key, '_inputs');
}

/** The partition and generation that a manifest's key names, or undefined for any other key. */
export function parseManifestKey(key: string): { partition: Partition; generation: number } | undefined {
  return parseGenerationKey(key, '_manifest');
}

/** ManifestFile of the feature files that a dataset is made of, in the artifact bucket. */
export function datasetManifestKey(useCase: string, datasetHash: string): string {
  return `datasets/${useCase}/${datasetHash}/partitions.manifest`;
}

/** Folder of a prepared dataset in the artifact bucket, no closing slash; the splits are flat folders in it. */
export function datasetPrefix(useCase: string, datasetHash: string): string {
  return `training/${useCase}/${datasetHash}`;
}
