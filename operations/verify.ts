/** `npm run verify`: the lake checked against itself. Reads everything it names, changes nothing. */
import { parseHead, type Head } from '../consumer/lake/append/head';
import { parallel } from '../consumer/lake/parallel';
import { FEATURES_PREFIX, READINGS_PREFIX, type Partition } from '../lib/contracts/lake-layout';
import {
  HEAD_BUCKETS,
  HEADS_PK_PREFIX,
  headKey,
  ledgerPk,
  partitionHour,
  type LedgerItem,
} from '../lib/contracts/registry';
import type { UseCase } from '../use-cases/define-use-case';
import { isWithin, partitionOfKey, type HourRange, type Lake, type Progress } from './lake';
import { verifyPartition, type PartitionObjects, type PartitionReport } from './verify-partition';
import { verifyShard, type LeaseView, type ShardReport } from './verify-shards';

export interface VerifyRequest extends HourRange {
  readonly useCases: readonly UseCase[];
  /** Rows of the lease table. */
  readonly leases: readonly LeaseView[];
  /**
   * Segments of hours that began before this time (epoch milliseconds) may have expired.
   * @default - none has
   */
  readonly readingsExpiredBefore?: number;
}

export interface Verification {
  readonly partitions: readonly PartitionReport[];
  readonly shards: readonly ShardReport[];
  /** Of the whole: what the shards committed against what the partitions hold. */
  readonly problems: readonly string[];
  /** That comparison needs all hours, and a lake that nothing was committed to meanwhile. */
  readonly conservation: 'checked' | 'not checked';
}

const PARALLEL_PARTITIONS = 2;

export async function verify(lake: Lake, request: VerifyRequest, progress: Progress): Promise<Verification> {
  const before = ends(await readHeads(lake));
  const shards = await verifyShards(lake, request.leases);
  const found: { useCase: UseCase; partition: Partition; objects: PartitionObjects }[] = [];
  for (const useCase of request.useCases) {
    for (const { partition, objects } of await findPartitions(lake, useCase.name, request)) {
      found.push({ useCase, partition, objects });
    }
  }
  const partitions: PartitionReport[] = [];
  const { readingsExpiredBefore = -Infinity } = request;
  await parallel(found, PARALLEL_PARTITIONS, async ({ useCase, partition, objects }) => {
    let report = await verifyPartition(lake, useCase, partition, objects, readingsExpiredBefore);
    if (report.problems.length > 0) {
      // A fold that sealed in between looks like a difference: what is one is there at the second look too.
      const hour = partitionHour(partition);
      const [again] = await findPartitions(lake, useCase.name, { from: hour, to: `${hour}~` });
      if (again) report = await verifyPartition(lake, useCase, partition, again.objects, readingsExpiredBefore);
    }
    partitions.push(report);
    progress('partitions', partitions.length, found.length);
  });
  partitions.sort((a, b) => (`${a.useCase} ${a.hour}` < `${b.useCase} ${b.hour}` ? -1 : 1));
  const isWhole = request.from === undefined && request.to === undefined;
  const isStill = ends(await readHeads(lake)) === before;
  const problems = isWhole && isStill ? conservation(request.useCases, shards, partitions) : [];
  return { partitions, shards, problems, conservation: isWhole && isStill ? 'checked' : 'not checked' };
}

function ends(heads: readonly Head[]): string {
  return heads.map(({ end }) => end).join(' ');
}

async function findPartitions(
  lake: Lake,
  useCase: string,
  range: HourRange,
): Promise<{ partition: Partition; objects: PartitionObjects }[]> {
  const found = new Map<string, { partition: Partition; objects: { readings: string[]; features: string[] } }>();
  for (const [kind, prefix] of [
    ['readings', READINGS_PREFIX],
    ['features', FEATURES_PREFIX],
  ] as const) {
    // Where one day is asked for, only that day is listed.
    const day =
      range.from !== undefined && range.to?.startsWith(range.from.slice(0, 10)) ? `dt=${range.from.slice(0, 10)}/` : '';
    for await (const { key } of lake.listing.list(`${prefix}${useCase}/${day}`)) {
      const partition = partitionOfKey(key);
      if (partition === undefined || !isWithin(partitionHour(partition), range)) continue;
      const hour = partitionHour(partition);
      const entry = found.get(hour) ?? { partition, objects: { readings: [], features: [] } };
      entry.objects[kind].push(key);
      found.set(hour, entry);
    }
  }
  return [...found.values()];
}

async function readHeads(lake: Lake): Promise<Head[]> {
  const buckets = Array.from({ length: HEAD_BUCKETS }, (_, bucket) =>
    lake.registry.query(`${HEADS_PK_PREFIX}${bucket}`),
  );
  const heads = (await Promise.all(buckets)).flat().map(parseHead);
  return heads.sort((a, b) => (a.shardId < b.shardId ? -1 : 1));
}

/** A shard whose head moved while its ledger was read is read again, this often. */
const LOOKS = 5;

async function verifyShards(lake: Lake, leases: readonly LeaseView[]): Promise<ShardReport[]> {
  const byShard = new Map(leases.map((lease) => [lease.shardId, lease]));
  const reports: ShardReport[] = [];
  for (let head of await readHeads(lake)) {
    const { shardId } = head;
    for (let look = 1; ; look++) {
      const ledger = (await lake.registry.query(ledgerPk(shardId))) as unknown as LedgerItem[];
      const after = parseHead((await lake.registry.get(headKey(shardId)))!);
      if (after.end === head.end || look === LOOKS) {
        reports.push(verifyShard(after, ledger, byShard.get(shardId)));
        break;
      }
      head = after;
    }
  }
  return reports;
}

/** Readings committed by the shards = readings registered in the partitions. Only of a lake that stands still. */
function conservation(
  useCases: readonly UseCase[],
  shards: readonly ShardReport[],
  partitions: readonly PartitionReport[],
): string[] {
  return useCases.flatMap(({ name }) => {
    const committed = shards.reduce((sum, { readingsByUseCase }) => sum + (readingsByUseCase[name] ?? 0), 0);
    const registered = partitions
      .filter(({ useCase }) => useCase === name)
      .reduce((sum, { readings, waitingReadings }) => sum + readings + waitingReadings, 0);
    return registered === committed
      ? []
      : [`${name}: the ledger counts ${committed} readings, the partitions hold ${registered}`];
  });
}
