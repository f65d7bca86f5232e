/** `npm run quarantine`: what the decoder refused, counted by reason, shown, and put on the stream again. */
import type { ObjectStore } from '../consumer/lake/stores/object-store';
import type { RegistryStore } from '../consumer/lake/stores/registry-store';
import type { QuarantineReason } from '../consumer/readings/reasons';
import type { QuarantineEntry } from '../lib/contracts/documents';
import { QUARANTINE_PREFIX } from '../lib/contracts/lake-layout';
import { partitionHour } from '../lib/contracts/registry';
import { telemetryTopic, type TelemetryEnvelope } from '../lib/contracts/topics';
import { isWithin, partitionOfKey, type HourRange, type Lake } from './lake';

/** Entries of one object that share a reason. */
export interface QuarantineGroup {
  readonly key: string;
  readonly useCase: string;
  /** Hour of arrival, `<dt>T<hour>`. */
  readonly hour: string;
  readonly reason: string;
  readonly entries: readonly QuarantineEntry[];
  /** Epoch milliseconds of a retry. */
  readonly retriedAt?: number;
}

export interface QuarantineFilter extends HourRange {
  readonly useCase: string;
  readonly reason?: string;
}

/** Registry items that say what was retried: pk by use case, sk by object and reason. */
function retryKey(useCase: string, key: string, reason: string): { pk: string; sk: string } {
  return { pk: `RETRIED#${useCase}`, sk: `${key}#${reason}` };
}

export async function* readQuarantine(
  lake: Pick<Lake, 'objects' | 'listing' | 'registry'>,
  filter: QuarantineFilter,
): AsyncGenerator<QuarantineGroup> {
  const retried = await retries(lake.registry, filter.useCase);
  for await (const { key } of lake.listing.list(`${QUARANTINE_PREFIX}${filter.useCase}/`)) {
    const partition = partitionOfKey(key);
    if (partition === undefined || !isWithin(partitionHour(partition), filter)) continue;
    for (const [reason, entries] of await groupsOf(lake.objects, key)) {
      if (filter.reason !== undefined && filter.reason !== reason) continue;
      const { useCase } = filter;
      const retriedAt = retried.get(retryKey(useCase, key, reason).sk);
      yield {
        key,
        useCase,
        hour: partitionHour(partition),
        reason,
        entries,
        ...(retriedAt === undefined ? {} : { retriedAt }),
      };
    }
  }
}

async function retries(registry: RegistryStore, useCase: string): Promise<Map<string, number>> {
  const items = await registry.query(retryKey(useCase, '', '').pk);
  return new Map(items.map((item) => [item.sk, item['retriedAt'] as number]));
}

async function groupsOf(objects: Pick<ObjectStore, 'get'>, key: string): Promise<Map<string, QuarantineEntry[]>> {
  const groups = new Map<string, QuarantineEntry[]>();
  const body = await objects.get(key);
  for (const line of Buffer.from(body ?? [])
    .toString('utf8')
    .split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as QuarantineEntry;
    groups.set(entry.reason, [...(groups.get(entry.reason) ?? []), entry]);
  }
  return groups;
}

/** A record as PutRecords takes it. */
export interface RetryRecord {
  readonly data: Uint8Array;
  /** 1–256 characters. */
  readonly partitionKey: string;
}

/** Of these the whole record was kept, envelope and all; of the others the payload, or one element of it. */
const WHOLE_RECORD: readonly string[] = [
  'not_an_envelope',
  'unknown_topic',
  'topic_mismatch',
] satisfies QuarantineReason[];

/** The record that puts the entry's bytes before the decoder once more, with the same topic, device and time. */
export function retryRecord(entry: QuarantineEntry): RetryRecord {
  const partitionKey = entry.device ?? `${entry.shardId}-${entry.sequenceNumber}`;
  if (WHOLE_RECORD.includes(entry.reason)) return { data: Buffer.from(entry.raw, 'base64'), partitionKey };
  const envelope: TelemetryEnvelope = {
    payload: entry.raw,
    topic: telemetryTopic(entry.useCase, entry.device!),
    device: entry.device!,
    received: entry.received!,
  };
  return { data: Buffer.from(JSON.stringify(envelope)), partitionKey };
}

/** Puts records on the stream; rejects unless all are there. */
export type PutRecords = (records: readonly RetryRecord[]) => Promise<void>;

/**
 * Puts a group on the stream again and notes it. A crash in between repeats it at the next retry: the fold drops the
 * duplicates.
 */
export async function retry(
  registry: RegistryStore,
  group: QuarantineGroup,
  put: PutRecords,
  now: number,
): Promise<void> {
  await put(group.entries.map(retryRecord));
  await registry.write({
    put: { ...retryKey(group.useCase, group.key, group.reason), retriedAt: now, entries: group.entries.length },
  });
}
