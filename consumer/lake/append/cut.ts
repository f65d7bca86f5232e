/** A batch as the objects of one commit: pure, the same bytes for the same records, id and build. */
import { createHash } from 'node:crypto';
import { partitionOf, quarantineKey, segmentKey } from '../../../lib/contracts/lake-layout';
import { partitionAt } from '../registry-items';
import { buildSegment } from '../segment-file';
import { formatPosition, type PositionText } from '../position';
import type { Batch } from './batch';
import type { Pending, PendingQuarantine, PendingSegment } from './head';

export interface CutObject {
  readonly key: string;
  readonly body: Uint8Array;
  readonly contentHash: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Cut {
  readonly pending: Pending;
  readonly objects: readonly CutObject[];
}

export interface CutOrigin {
  readonly shardId: string;
  readonly start: PositionText;
  readonly id: string;
  readonly codeVersion: string;
  readonly gap: boolean;
}

/** @param batch Not empty. */
export function buildCut(batch: Batch, origin: CutOrigin): Cut {
  const { shardId, start, id } = origin;
  const end = formatPosition(batch.end!);
  // Colons of a sentinel are legal in an S3 key, and a nuisance in a file name.
  const name = `${shardId}-${start.replace(':', '_')}-${end}-${id}`;
  const objects: CutObject[] = [];
  const segments: PendingSegment[] = [];
  // Enough to rebuild the registry from the objects alone, should the table be lost (operations/rebuild-registry).
  const commit = {
    shard: shardId,
    start,
    end,
    'code-version': origin.codeVersion,
    records: String(batch.records),
    progress: String(batch.newestArrival),
    ...(batch.partial ? { partial: 'true' } : {}),
  };
  for (const partition of [...batch.partitions.keys()].sort()) {
    const { useCase, hour, columns } = batch.partitions.get(partition)!;
    const { bytes, ...file } = buildSegment(columns, batch.devices, batch);
    const key = segmentKey(partitionAt(useCase, hour), name);
    segments.push({ useCase, hour, key, bytes: bytes.length, ...file });
    objects.push({
      key,
      body: bytes,
      contentHash: file.contentHash,
      metadata: { ...commit, rows: String(file.rows) },
    });
  }
  const quarantine: PendingQuarantine[] = [];
  for (const [key, lines] of quarantineLines(batch, name)) {
    const body = Buffer.from(lines.join(''));
    const contentHash = createHash('sha256').update(body).digest('hex');
    quarantine.push({ key, entries: lines.length, contentHash });
    objects.push({ key, body, contentHash, metadata: { ...commit, rows: String(lines.length) } });
  }
  return {
    pending: {
      id,
      start,
      end,
      partial: batch.partial,
      first: batch.first,
      codeVersion: origin.codeVersion,
      progress: batch.newestArrival,
      records: batch.records,
      byUseCase: batch.countsByUseCase(),
      segments,
      quarantine,
      gap: origin.gap,
    },
    objects: objects.map((object) => ({
      ...object,
      metadata: { ...object.metadata, objects: String(objects.length) },
    })),
  };
}

/** Object key → its NDJSON lines, by use case and hour of arrival, keys in order. */
function quarantineLines(batch: Batch, name: string): [string, string[]][] {
  const lines = new Map<string, string[]>();
  for (const entry of batch.quarantined) {
    const key = quarantineKey(partitionOf(entry.useCase, entry.arrival), name);
    const list = lines.get(key) ?? [];
    list.push(`${JSON.stringify(entry)}\n`);
    lines.set(key, list);
  }
  return [...lines].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** True where the cut is what the intent says, object by object. */
export function fulfils(cut: Cut, intent: Pending): boolean {
  const content = (pending: Pending): string =>
    JSON.stringify([
      pending.end,
      pending.partial,
      pending.segments.map(({ key, contentHash }) => [key, contentHash]),
      pending.quarantine.map(({ key, contentHash }) => [key, contentHash]),
    ]);
  return content(cut.pending) === content(intent);
}
