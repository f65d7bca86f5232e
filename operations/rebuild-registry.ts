/**
 * The registry from the bucket, when the table is lost: heads, ledger and segments from names and metadata of what was
 * appended, partitions from the manifests. Only items that are missing are written. No consumer may run meanwhile.
 */
import { headItem, type Head } from '../consumer/lake/append/head';
import { parallel } from '../consumer/lake/parallel';
import { readParquet } from '../consumer/lake/parquet';
import { ledgerItem, segmentItem, segmentName, TAIL_SK_PREFIX, type TailMark } from '../consumer/lake/registry-items';
import { CONTENT_HASH } from '../consumer/lake/stores/object-store';
import { ConditionFailedError, type Item } from '../consumer/lake/stores/registry-store';
import type { GenerationInputs, PartitionManifest } from '../lib/contracts/documents';
import {
  FEATURES_PREFIX,
  parseInputsKey,
  parseManifestKey,
  QUARANTINE_PREFIX,
  READINGS_PREFIX,
} from '../lib/contracts/lake-layout';
import {
  headKey,
  PARTITION_SK,
  partitionHour,
  partitionPk,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../lib/contracts/registry';
import { chainOf, isWhole, type Chain, type CommittedObject, type ObjectRange } from './committed-ranges';
import { partitionOfKey, readJson, type Lake, type Progress } from './lake';

/** A shard as ListShards names it. */
export interface ListedShard {
  readonly shardId: string;
  /** Inclusive, decimal. */
  readonly startingHashKey: string;
  readonly endingHashKey: string;
  readonly parentShardIds: readonly string[];
}

export interface RegistryPlan {
  readonly heads: readonly Head[];
  /** Shards whose head is there already: nothing of theirs is touched. */
  readonly kept: readonly string[];
  readonly items: readonly Item[];
  readonly segments: number;
  readonly ranges: number;
  readonly partitions: number;
  /** What a person should know before they say yes. */
  readonly warnings: readonly string[];
}

const PARALLEL_OBJECTS = 16;

export async function planRegistry(
  lake: Lake,
  shards: readonly ListedShard[],
  progress: Progress,
): Promise<RegistryPlan> {
  const warnings: string[] = [];
  const ranges = await readRanges(lake, warnings, progress);
  const { manifests, frozen } = await readGenerations(lake, progress);
  const folded = new Set([...manifests.values()].flatMap(({ segments }) => segments.map(({ key }) => key)));
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  const heads: Head[] = [];
  const kept: string[] = [];
  const items: Item[] = [];
  const taken: ObjectRange[] = [];
  for (const [shardId, ofShard] of ranges) {
    const chain = chainOf(ofShard, frozen);
    const last = chain.ranges.at(-1);
    if (last === undefined) continue;
    const existing = await lake.registry.get(headKey(shardId));
    if (existing !== undefined) {
      kept.push(shardId);
      if (existing['end'] !== last.end) {
        warnings.push(
          `${shardId}: its head says ${String(existing['end'])}, the objects reach ${last.end}; left as it is`,
        );
      }
      continue;
    }
    warnings.push(...warningsOf(shardId, chain));
    heads.push(headOf(shardId, last, listed.get(shardId)));
    items.push(...chain.ranges.map((range) => ledgerOf(range)), ...chain.holes.map((hole) => holeOf(shardId, hole)));
    taken.push(...chain.ranges);
  }
  const segments = taken.flatMap(({ objects }) => objects).filter(({ key }) => key.startsWith(READINGS_PREFIX));
  let read = 0;
  await parallel(segments, PARALLEL_OBJECTS, async (segment) => {
    items.push(await segmentOf(lake, segment, folded.has(segment.key)));
    progress('segments read', ++read, segments.length);
  });
  for (const [key, manifest] of manifests) items.push(...partitionItems(key, manifest));
  return {
    heads,
    kept,
    items: [...items, ...heads.map(headItem)],
    segments: segments.length,
    ranges: taken.length,
    partitions: manifests.size,
    warnings,
  };
}

/** Writes what is missing; the heads last, so that a shard whose rebuild was cut short is planned again. */
export async function applyRegistry(lake: Lake, plan: RegistryPlan, progress: Progress): Promise<number> {
  let created = 0;
  let done = 0;
  const create = async (item: Item): Promise<void> => {
    try {
      await lake.registry.write({ put: item, condition: [[{ path: 'pk', absent: true }]] });
      created++;
    } catch (error) {
      if (!(error instanceof ConditionFailedError)) throw error;
    }
    progress('items written', ++done, plan.items.length);
  };
  const heads = plan.items.slice(plan.items.length - plan.heads.length);
  await parallel(plan.items.slice(0, plan.items.length - plan.heads.length), PARALLEL_OBJECTS, create);
  await parallel(heads, 1, create);
  return created;
}

/** Shard → ranges. */
async function readRanges(lake: Lake, warnings: string[], progress: Progress): Promise<Map<string, ObjectRange[]>> {
  const keys: { key: string; bytes: number }[] = [];
  for (const prefix of [READINGS_PREFIX, QUARANTINE_PREFIX]) {
    for await (const object of lake.listing.list(prefix)) keys.push(object);
  }
  const ranges = new Map<string, ObjectRange & { objects: CommittedObject[] }>();
  let read = 0;
  await parallel(keys, PARALLEL_OBJECTS, async ({ key, bytes }) => {
    const metadata = (await lake.objects.head(key))?.metadata ?? {};
    progress('objects looked at', ++read, keys.length);
    const {
      shard,
      start,
      end,
      records,
      objects,
      progress: newest,
      partial,
      rows,
      [CONTENT_HASH]: contentHash,
    } = metadata;
    if (!shard || !start || !end || !records || !objects || !newest || !rows || !contentHash) {
      warnings.push(`${key}: left out, since its metadata does not say which commit it belongs to`);
      return;
    }
    const name = segmentName(key);
    const range = ranges.get(name) ?? {
      shardId: shard,
      name,
      start,
      end,
      partial: partial === 'true',
      records: Number(records),
      progress: Number(newest),
      expected: Number(objects),
      objects: [],
    };
    range.objects.push({ key, bytes, contentHash, rows: Number(rows) });
    ranges.set(name, range);
  });
  const byShard = new Map<string, ObjectRange[]>();
  for (const range of ranges.values()) byShard.set(range.shardId, [...(byShard.get(range.shardId) ?? []), range]);
  return new Map([...byShard].sort(([a], [b]) => (a < b ? -1 : 1)));
}

interface Generations {
  /** Newest of every partition, by its key. */
  readonly manifests: ReadonlyMap<string, PartitionManifest>;
  /** Keys of the segments that sealed and open generations are made of. */
  readonly frozen: ReadonlySet<string>;
}

async function readGenerations(lake: Lake, progress: Progress): Promise<Generations> {
  const keys: string[] = [];
  for await (const { key } of lake.listing.list(FEATURES_PREFIX)) keys.push(key);
  const manifestKeys = newestOf(keys, parseManifestKey);
  const manifests = new Map<string, PartitionManifest>();
  await parallel(manifestKeys, PARALLEL_OBJECTS, async (key) => {
    manifests.set(key, (await readJson<PartitionManifest>(lake.objects, key))!);
    progress('manifests read', manifests.size, manifestKeys.length);
  });
  const inputsKeys = newestOf(keys, parseInputsKey);
  const frozen = new Set<string>();
  let read = 0;
  await parallel(inputsKeys, PARALLEL_OBJECTS, async (key) => {
    const { segments, tailSegments } = (await readJson<GenerationInputs>(lake.objects, key))!;
    for (const segment of [...segments, ...tailSegments]) frozen.add(segment.key);
    progress('inputs of generations read', ++read, inputsKeys.length);
  });
  return { manifests, frozen };
}

/** Of the keys that `parse` knows, the one of the newest generation of each partition. */
function newestOf(keys: readonly string[], parse: typeof parseManifestKey): string[] {
  const newest = new Map<string, { key: string; generation: number }>();
  for (const key of keys) {
    const parsed = parse(key);
    if (parsed === undefined) continue;
    const pk = partitionPk(parsed.partition);
    if ((newest.get(pk)?.generation ?? 0) < parsed.generation) newest.set(pk, { key, generation: parsed.generation });
  }
  return [...newest.values()].map(({ key }) => key);
}

function warningsOf(shardId: string, { ranges, leftOut, holes }: Chain): string[] {
  const lacking = ranges.filter((range) => !isWhole(range)).length;
  return [
    ...(leftOut.length === 0 ? [] : [`${shardId}: ${leftOut.length} ranges of intents that were given up stay out`]),
    ...(lacking === 0 ? [] : [`${shardId}: of ${lacking} ranges some objects have expired, or were deleted`]),
    ...holes.map(({ after, before }) => `${shardId}: no objects between ${after} and ${before}: expired, or deleted`),
  ];
}

/** A shard that the stream does not list any more is over; one that it lists is read to its end by its next owner. */
function headOf(shardId: string, last: ObjectRange, listed: ListedShard | undefined): Head {
  return {
    shardId,
    end: last.end,
    partial: last.partial,
    progress: last.progress,
    startingHashKey: listed?.startingHashKey ?? '0',
    endingHashKey: listed?.endingHashKey ?? '0',
    finished: listed === undefined,
  };
}

function ledgerOf({ shardId, start, end, records, objects }: ObjectRange): Item {
  const byUseCase: Record<string, { readings: number; quarantined: number }> = {};
  for (const { key, rows } of objects) {
    const counts = (byUseCase[partitionOfKey(key)!.useCase] ??= { readings: 0, quarantined: 0 });
    counts[key.startsWith(READINGS_PREFIX) ? 'readings' : 'quarantined'] += rows;
  }
  return ledgerItem(shardId, { start, end, records, byUseCase, gap: false });
}

function holeOf(shardId: string, { after, before }: Chain['holes'][number]): Item {
  return {
    ...ledgerItem(shardId, { start: after, end: before, records: 0, byUseCase: {}, gap: false }),
    expired: true,
  };
}

async function segmentOf(lake: Lake, segment: CommittedObject, isFolded: boolean): Promise<Item> {
  const bytes = await lake.objects.get(segment.key);
  const columns = await readParquet(bytes!.slice().buffer as ArrayBuffer, ['arrival', 'event_time']);
  const extreme = (name: string, of: (a: number, b: number) => number): number =>
    (columns.get(name) as number[]).reduce((a, b) => of(a, b));
  const partition = partitionOfKey(segment.key)!;
  const item = segmentItem({
    ...segment,
    useCase: partition.useCase,
    hour: partitionHour(partition),
    // Without them a fold reads the whole file, which is right, and slower.
    rowGroups: [],
    oldestArrival: extreme('arrival', Math.min),
    newestArrival: extreme('arrival', Math.max),
    newestEvent: extreme('event_time', Math.max),
  });
  const marks: readonly string[] = [UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE];
  return isFolded ? (Object.fromEntries(Object.entries(item).filter(([name]) => !marks.includes(name))) as Item) : item;
}

/** The partition's item, and a mark that has its rolling windows compared with the hour before once more. */
function partitionItems(key: string, manifest: PartitionManifest): Item[] {
  const { partition, generation } = parseManifestKey(key)!;
  const pk = partitionPk(partition);
  const { counts, parts, contentHash, useCase, hour } = manifest;
  const mark: TailMark = {
    pk,
    sk: `${TAIL_SK_PREFIX}0`,
    oldestArrival: 0,
    newestArrival: 0,
    unfolded: useCase,
    unfoldedPartition: hour,
  };
  return [
    {
      pk,
      sk: PARTITION_SK,
      useCase,
      hour,
      generation,
      manifestKey: key,
      parts,
      contentHash,
      rows: counts.rows,
      registered: counts.registered,
      folded: counts.folded,
      duplicates: counts.duplicates,
    },
    { ...mark },
  ];
}
