/**
 * `npm run refold`: asks for sealed hours to be folded again by a newer build. The consumers do the work: a request is
 * an item of the registry that stands until a build other than the one it names has sealed the hour anew.
 */
import { tailLength, tailOf } from '../consumer/lake/fold/freeze';
import { parallel } from '../consumer/lake/parallel';
import { REFOLD_SK, refoldRequest, type SegmentItem } from '../consumer/lake/registry-items';
import { ConditionFailedError } from '../consumer/lake/stores/registry-store';
import type { PartitionManifest } from '../lib/contracts/documents';
import {
  FEATURES_PREFIX,
  HOUR_MS,
  manifestKey,
  parseManifestKey,
  partitionOf,
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
import { isWithin, readJson, type HourRange, type Lake, type Progress } from './lake';

export interface RefoldCandidate {
  readonly partition: Partition;
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly generation: number;
  /** Build that made the newest generation. */
  readonly codeVersion: string;
  readonly contentHash: string;
  readonly readings: number;
  readonly requested: boolean;
  /** Fold tasks that were set aside after failing again and again. */
  readonly parkedTasks: readonly { readonly pk: string; readonly sk: string }[];
  /** Segments of the hour, or of the hour before within its lookback, that are not in the bucket any more. */
  readonly missing: readonly string[];
}

const PARALLEL_PARTITIONS = 8;
const PARALLEL_SEGMENTS = 8;

/** Every sealed hour of the range, with what a refold of it would replace. */
export async function findCandidates(
  lake: Lake,
  useCase: UseCase,
  range: HourRange,
  progress: Progress,
): Promise<RefoldCandidate[]> {
  const hours = new Map<string, Partition>();
  for await (const { key } of lake.listing.list(`${FEATURES_PREFIX}${useCase.name}/`)) {
    const partition = parseManifestKey(key)?.partition;
    if (partition !== undefined && isWithin(partitionHour(partition), range))
      hours.set(partitionHour(partition), partition);
  }
  const candidates: RefoldCandidate[] = [];
  let looked = 0;
  await parallel([...hours], PARALLEL_PARTITIONS, async ([hour, partition]) => {
    const candidate = await candidateOf(lake, useCase, partition, hour);
    if (candidate !== undefined) candidates.push(candidate);
    progress('hours looked at', ++looked, hours.size);
  });
  return candidates.sort((a, b) => (a.hour < b.hour ? -1 : 1));
}

async function candidateOf(
  lake: Lake,
  { windows }: UseCase,
  partition: Partition,
  hour: string,
): Promise<RefoldCandidate | undefined> {
  const items = await lake.registry.query(partitionPk(partition));
  const sealed = items.find(({ sk }) => sk === PARTITION_SK) as unknown as PartitionItem | undefined;
  if (sealed?.generation === undefined) return undefined;
  const manifest = await readJson<PartitionManifest>(lake.objects, manifestKey(partition, sealed.generation));
  if (manifest === undefined) return undefined;
  const missing: string[] = [];
  const segments = items.filter(({ sk }) => sk.startsWith(SEGMENT_SK_PREFIX)) as unknown as SegmentItem[];
  const before = partitionOf(partition.useCase, partitionStart(partition) - HOUR_MS);
  const beforeSegments = (await lake.registry.query(
    partitionPk(before),
    SEGMENT_SK_PREFIX,
  )) as unknown as SegmentItem[];
  const tail = tailOf(before, beforeSegments, tailLength(windows));
  await parallel([...segments, ...tail], PARALLEL_SEGMENTS, async ({ key }) => {
    if ((await lake.objects.head(key)) === undefined) missing.push(key);
  });
  return {
    partition,
    hour,
    generation: sealed.generation,
    codeVersion: manifest.codeVersion,
    contentHash: manifest.contentHash,
    readings: manifest.counts.registered,
    requested: items.some(({ sk }) => sk === REFOLD_SK),
    parkedTasks: items
      .filter((item) => item.sk.startsWith(TASK_SK_PREFIX) && item['state'] === 'parked')
      .map(({ pk, sk }) => ({ pk, sk })),
    missing,
  };
}

/** Writes the request for every hour that can be folded; returns those hours. */
export async function requestRefolds(
  lake: Lake,
  candidates: readonly RefoldCandidate[],
  progress: Progress,
): Promise<RefoldCandidate[]> {
  const able = candidates.filter(({ missing }) => missing.length === 0);
  let done = 0;
  for (const { partition, codeVersion } of able) {
    await lake.registry.write({ put: { ...refoldRequest(partition, codeVersion) } });
    progress('requests written', ++done, able.length);
  }
  return able;
}

/** Takes requests back that no build has answered yet. */
export async function withdrawRefolds(lake: Lake, candidates: readonly RefoldCandidate[]): Promise<number> {
  const requested = candidates.filter((candidate) => candidate.requested);
  for (const { partition } of requested) {
    await lake.registry.write({ delete: { pk: partitionPk(partition), sk: REFOLD_SK } });
  }
  return requested.length;
}

/** Parked fold tasks of the range are forgotten, so that the open generation's tasks are tried anew. */
export async function unpark(lake: Lake, candidates: readonly RefoldCandidate[]): Promise<number> {
  let tried = 0;
  for (const key of candidates.flatMap(({ parkedTasks }) => parkedTasks)) {
    try {
      await lake.registry.write({ delete: key, condition: [[{ path: 'state', equals: 'parked' }]] });
      tried++;
    } catch (error) {
      if (!(error instanceof ConditionFailedError)) throw error;
    }
  }
  return tried;
}

export interface RefoldState {
  /** Hours whose request is answered. */
  readonly answered: readonly RefoldCandidate[];
  /** Of those, hours whose features are other than before. */
  readonly changed: readonly string[];
}

/** What became of the requests: an hour is answered once a newer generation than the candidate's is sealed. */
export async function refoldState(lake: Lake, requested: readonly RefoldCandidate[]): Promise<RefoldState> {
  const keys = requested.map(({ partition }) => ({ pk: partitionPk(partition), sk: PARTITION_SK }));
  const items = (await lake.registry.getMany(keys)) as unknown as PartitionItem[];
  const now = new Map(items.map((item) => [item.pk, item]));
  const open = await lake.registry.getMany(keys.map(({ pk }) => ({ pk, sk: REFOLD_SK })));
  const waiting = new Set(open.map(({ pk }) => pk));
  const answered = requested.filter(({ partition }) => !waiting.has(partitionPk(partition)));
  const changed = answered.filter(
    ({ partition, contentHash }) => now.get(partitionPk(partition))?.contentHash !== contentHash,
  );
  return { answered, changed: changed.map(({ hour }) => hour) };
}
