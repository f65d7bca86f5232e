/** One partition, checked from its files up: hashes, counts, manifest, registry and listing must say the same. */
import { hashFile, readSegment } from '../consumer/lake/segment-file';
import { readInputs } from '../consumer/lake/fold/freeze';
import { parallel } from '../consumer/lake/parallel';
import { REFOLD_SK, segmentName, type SegmentItem } from '../consumer/lake/registry-items';
import type { Item } from '../consumer/lake/stores/registry-store';
import { readingSchema } from '../consumer/readings/schema';
import type { PartitionManifest, SegmentReference } from '../lib/contracts/documents';
import {
  generationPrefix,
  inputsKey,
  manifestKey,
  parseManifestKey,
  partitionStart,
  type Partition,
} from '../lib/contracts/lake-layout';
import {
  PARTITION_SK,
  partitionHour,
  partitionPk,
  SEGMENT_SK_PREFIX,
  TASK_SK_PREFIX,
  type PartitionItem,
} from '../lib/contracts/registry';
import type { UseCase } from '../use-cases/define-use-case';
import type { Lake } from './lake';

export interface PartitionReport {
  readonly useCase: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  /** Newest sealed generation; 0 = none yet. */
  readonly generation: number;
  /** Segments and parts whose rows were read and hashed. */
  readonly files: number;
  /** Segments that have expired: their readings are counted as the registry says. */
  readonly expired: number;
  readonly readings: number;
  readonly folded: number;
  readonly duplicates: number;
  /** Feature rows. */
  readonly rows: number;
  /** Segments that wait for the next generation. */
  readonly waiting: number;
  readonly waitingReadings: number;
  /** Readings or features are not as they were committed or sealed. */
  readonly problems: readonly string[];
  /** Worth knowing, and no fault. */
  readonly notes: readonly string[];
}

/** What the bucket holds for one partition. */
export interface PartitionObjects {
  /** Keys under readings/. */
  readonly readings: readonly string[];
  /** Keys under features/. */
  readonly features: readonly string[];
}

const PARALLEL_FILES = 4;

/** @param readingsExpiredBefore Segments of hours that began before it may have expired, epoch milliseconds. */
export async function verifyPartition(
  lake: Lake,
  useCase: UseCase,
  partition: Partition,
  found: PartitionObjects,
  readingsExpiredBefore: number,
): Promise<PartitionReport> {
  const items = await lake.registry.query(partitionPk(partition));
  const registered = itemsOf<SegmentItem>(items, SEGMENT_SK_PREFIX);
  const sealed = items.find(({ sk }) => sk === PARTITION_SK) as unknown as PartitionItem | undefined;
  const generation = sealed?.generation ?? 0;
  const problems: string[] = [];
  const notes = notesOn(items, registered, found);

  const newest = Math.max(0, ...found.features.flatMap((key) => parseManifestKey(key)?.generation ?? []));
  if (newest !== generation) {
    problems.push(`the newest manifest is of generation ${newest}, the registry says ${generation}`);
  }
  const manifest = generation === 0 ? undefined : await readManifest(lake, partition, generation);
  if (generation > 0 && manifest === undefined) problems.push(`generation ${generation} has no manifest`);
  if (manifest !== undefined) problems.push(...(await againstManifest(lake, partition, manifest, sealed!, found)));

  const inManifest = new Set(manifest?.segments.map(({ key }) => key));
  const listed = new Set(found.readings);
  const hasExpired = (key: string): boolean =>
    partitionStart(partition) < readingsExpiredBefore && inManifest.has(key) && !listed.has(key);
  const expired = [...inManifest].filter(hasExpired).length;
  const registeredKeys = new Set(registered.map(({ key }) => key));
  const waiting = registered.filter(({ key }) => !inManifest.has(key));
  for (const { key, unfolded } of waiting) {
    if (unfolded === undefined) problems.push(`${key}: no sealed generation holds it, and none is asked to`);
  }
  for (const key of inManifest) {
    if (!registeredKeys.has(key) && !hasExpired(key)) problems.push(`${key}: sealed, but not registered`);
  }

  let readings = 0;
  const identities = new Set<string>();
  await parallel(registered, PARALLEL_FILES, async (segment) => {
    if (hasExpired(segment.key)) {
      readings += segment.rows;
      return;
    }
    const file = await fileOf(lake, segment.key);
    const problem = file === undefined ? 'registered, but not in the bucket' : await differs(file, segment);
    if (problem !== undefined) problems.push(`${segment.key}: ${problem}`);
    if (file === undefined || problem !== undefined || !inManifest.has(segment.key)) return;
    readings += segment.rows;
    await identify(file, useCase, identities);
  });
  if (manifest !== undefined && expired + problems.length === 0) {
    const { registered: total, folded } = manifest.counts;
    if (readings !== total) problems.push(`the segments hold ${readings} readings, the manifest counts ${total}`);
    if (identities.size !== folded) {
      problems.push(`${identities.size} of the readings are distinct, the manifest counts ${folded} folded`);
    }
  }
  return {
    useCase: useCase.name,
    hour: partitionHour(partition),
    generation,
    files: registered.filter(({ key }) => !hasExpired(key)).length + (manifest?.parts.length ?? 0),
    expired,
    readings,
    folded: manifest?.counts.folded ?? 0,
    duplicates: manifest?.counts.duplicates ?? 0,
    rows: manifest?.counts.rows ?? 0,
    waiting: waiting.length,
    waitingReadings: waiting.reduce((sum, { rows }) => sum + rows, 0),
    problems: problems.sort(),
    notes,
  };
}

function itemsOf<Kind>(items: readonly Item[], prefix: string): Kind[] {
  return items.filter(({ sk }) => sk.startsWith(prefix)) as unknown as Kind[];
}

function notesOn(items: readonly Item[], registered: readonly SegmentItem[], found: PartitionObjects): string[] {
  const notes: string[] = [];
  const keys = new Set(registered.map(({ key }) => key));
  const orphans = found.readings.filter((key) => !keys.has(key)).length;
  if (orphans > 0)
    notes.push(`${orphans} objects under readings/ belong to intents that were given up; nothing reads them`);
  const parked = itemsOf<{ sk: string; state: string }>(items, TASK_SK_PREFIX).filter(
    ({ state }) => state === 'parked',
  );
  if (parked.length > 0)
    notes.push(`${parked.length} fold tasks are parked: npm run refold -- --unpark tries them again`);
  if (items.some(({ sk }) => sk === REFOLD_SK)) notes.push('a refold by another build is asked for');
  return notes;
}

function readManifest(lake: Lake, partition: Partition, generation: number): Promise<PartitionManifest | undefined> {
  return lake.objects
    .get(manifestKey(partition, generation))
    .then((bytes) =>
      bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as PartitionManifest),
    );
}

/** The sealed generation: its manifest against its inputs, its parts, the registry and the listing. */
async function againstManifest(
  lake: Lake,
  partition: Partition,
  manifest: PartitionManifest,
  sealed: PartitionItem,
  found: PartitionObjects,
): Promise<string[]> {
  const problems: string[] = [];
  const { generation, parts, counts } = manifest;
  const inputs = await readInputs(lake.objects, partition, generation);
  if (inputs === undefined) problems.push(`generation ${generation} has no _inputs.json`);
  else if (names(inputs.segments) !== names(manifest.segments)) {
    problems.push(`generation ${generation}: _inputs.json and the manifest name different segments`);
  }
  const { registered, folded, duplicates, rows, contentHash } = sealed;
  const said = JSON.stringify([registered, folded, duplicates, rows, contentHash, names(sealed.parts ?? [])]);
  const { registered: total, folded: kept, duplicates: dropped, rows: features } = counts;
  if (said !== JSON.stringify([total, kept, dropped, features, manifest.contentHash, names(parts)])) {
    problems.push(`generation ${generation}: the registry's item and the manifest differ`);
  }
  if (total !== kept + dropped)
    problems.push(`${total} registered readings are not ${kept} folded + ${dropped} duplicates`);

  const prefix = generationPrefix(partition, generation);
  const listed = found.features.filter((key) => key.startsWith(prefix)).sort();
  const expected = [
    inputsKey(partition, generation),
    manifestKey(partition, generation),
    ...parts.map(({ key }) => key),
  ].sort();
  for (const key of listed) if (!expected.includes(key)) problems.push(`${key}: not in the manifest`);
  for (const key of expected)
    if (!listed.includes(key)) problems.push(`${key}: in the manifest, but not in the bucket`);
  for (const part of parts) {
    const file = await fileOf(lake, part.key);
    const problem = file === undefined ? undefined : await differs(file, part);
    if (problem !== undefined) problems.push(`${part.key}: ${problem}`);
  }
  return problems;
}

function names(references: readonly Pick<SegmentReference, 'key' | 'rows' | 'bytes' | 'contentHash'>[]): string {
  return JSON.stringify(
    references.map(({ key, rows, bytes, contentHash }) => [segmentName(key), rows, bytes, contentHash]),
  );
}

async function fileOf(lake: Lake, key: string): Promise<ArrayBuffer | undefined> {
  const bytes = await lake.objects.get(key);
  return bytes === undefined ? undefined : (bytes.slice().buffer as ArrayBuffer);
}

/** Why the file is not what is registered, or undefined. */
async function differs(
  file: ArrayBuffer,
  registered: Pick<SegmentReference, 'rows' | 'bytes' | 'contentHash'>,
): Promise<string | undefined> {
  if (file.byteLength !== registered.bytes) return `${file.byteLength} bytes, registered were ${registered.bytes}`;
  try {
    const { rows, contentHash } = await hashFile(file);
    if (rows !== registered.rows) return `${rows} rows, registered were ${registered.rows}`;
    return contentHash === registered.contentHash ? undefined : 'its rows are not those that were registered';
  } catch (error) {
    return `not readable as Parquet: ${(error as Error).message}`;
  }
}

/** Two rows are one reading where device and message id agree or, without an id, device, event time and content. */
async function identify(file: ArrayBuffer, useCase: UseCase, identities: Set<string>): Promise<void> {
  const rows = await readSegment(file, readingSchema(useCase));
  for (let row = 0; row < rows.rows; row++) {
    const id = rows.messageId[row];
    identities.add(
      JSON.stringify(
        id === null || id === undefined
          ? [rows.device[row], rows.eventTime[row], rows.contentHash[row]]
          : [rows.device[row], id],
      ),
    );
  }
}
