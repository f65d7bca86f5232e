/** Invariants that hold after every single write, by whoever: a violation is found where it happens. */
import { compareExtended } from '../consumer/kcl/common/extended-sequence-number';
import { parseHead, type Head, type Pending } from '../consumer/lake/append/head';
import { comparePositions, parsePosition, type RecordPosition } from '../consumer/lake/position';
import { segmentName } from '../consumer/lake/registry-items';
import { CONTENT_HASH } from '../consumer/lake/stores/object-store';
import type { GenerationInputs, PartitionManifest, SegmentReference } from '../lib/contracts/documents';
import { HEADS_PK_PREFIX, PARTITION_SK } from '../lib/contracts/registry';
import type { Elements } from './publisher';
import type { Bucket } from './services/bucket';
import { LEASES, type Change, type Database, type Row } from './services/database';
import type { ShardLogOf, Stream } from './services/stream';
import { HOUR, LATENESS_MS } from './use-case';

/** `<shard>-<start>-<end>-<id>` of an object's key. */
export interface ObjectName {
  readonly shardId: string;
  readonly start: string;
  readonly end: string;
  readonly id: string;
}

export function objectName(key: string): ObjectName {
  const parts = segmentName(key).split('-');
  const [start, end, id] = parts.slice(-3) as [string, string, string];
  return { shardId: parts.slice(0, -3).join('-'), start, end, id };
}

/** True where the element lies in the range that the object's name gives. */
export function isInRange({ start, end }: ObjectName, place: RecordPosition): boolean {
  const from = parsePosition(start);
  return (from === undefined || comparePositions(place, from) > 0) && comparePositions(place, parsePosition(end)!) <= 0;
}

/** `I6` of the violation `I6 … was overwritten`. */
export function invariantOf(violation: string): string {
  return violation.split(' ', 1)[0]!;
}

export class Observer {
  readonly violations: string[] = [];
  readonly heads = new Map<string, Head>();
  /** Ids of intents that another intent replaced, or that were given up: their objects may stand unregistered. */
  readonly abandoned = new Set<string>();
  readonly committed = new Set<string>();
  /** Called with the key of every manifest. */
  onSealed: (key: string) => void = () => undefined;
  commits = 0;
  seals = 0;

  constructor(
    private readonly stream: Stream<Elements>,
    private readonly bucket: Bucket,
    database: Database,
    private readonly now: () => number,
  ) {
    database.onChange = (change) => this.onChange(change);
    database.watches = (table, [pk = '', sk]) =>
      table === LEASES || pk.startsWith(HEADS_PK_PREFIX) || sk === PARTITION_SK;
    bucket.onCreated = (key) => this.onObject(key);
    bucket.onOverwrite = (key) => this.violate(`I6 ${key} was overwritten`);
  }

  violate(violation: string): void {
    if (this.violations.length < 50) this.violations.push(violation);
  }

  private onChange({ table, before, after }: Change): void {
    const row = after ?? before;
    if (table === LEASES) this.onLease(before, after);
    else if (String(row?.['pk']).startsWith(HEADS_PK_PREFIX)) this.onHead(before, after);
    else if (row?.['sk'] === PARTITION_SK) this.onPartition(before, after);
  }

  private onHead(beforeRow: Row | undefined, afterRow: Row | undefined): void {
    if (afterRow === undefined) return this.violate(`I3 head ${beforeRow?.['shardId']} was deleted`);
    const after = parseHead(afterRow as never);
    const before = beforeRow && parseHead(beforeRow as never);
    this.heads.set(after.shardId, after);
    const shard = this.stream.shards.get(after.shardId);
    if (shard === undefined) return this.violate(`I3 head of the unknown shard ${after.shardId}`);
    if (before === undefined) {
      if (parsePosition(after.end) !== undefined) this.violate(`I3 ${after.shardId}: a head began at ${after.end}`);
      return;
    }
    const { pending } = before;
    if (after.end !== before.end) this.onCommit(before, after, shard);
    else if (pending !== undefined && pending.id !== after.pending?.id) this.onAbandoned(pending, after);
    if (after.progress < before.progress) this.violate(`I3 ${after.shardId}: progress went back`);
    if (before.finished && !after.finished) this.violate(`I3 ${after.shardId}: finished was taken back`);
    const next = this.firstUncommitted(shard, after);
    if (after.progress > before.progress && next !== undefined && next.arrival < after.progress) {
      this.violate(
        `I6 ${after.shardId}: progress ${after.progress}, but ${next.sequenceNumber} of ${next.arrival} is not committed`,
      );
    }
    if (after.finished && !before.finished && (!shard.closed || next !== undefined)) {
      this.violate(`I1 ${after.shardId}: finished before its end`);
    }
  }

  /** An intent may give way to one of another build, or where its records are gone: else its owner could finish it. */
  private onAbandoned(intent: Pending, { shardId, pending: next }: Head): void {
    this.abandoned.add(intent.id);
    if (next?.codeVersion === intent.codeVersion && next.first === intent.first) {
      this.violate(`I4 ${shardId}: the intent ${intent.id} was replaced, which could have been finished`);
    }
  }

  private onCommit(before: Head, after: Head, shard: ShardLogOf<Elements>): void {
    this.commits++;
    const { shardId, pending } = before;
    const [from, to] = [parsePosition(before.end), parsePosition(after.end)];
    if (to === undefined || (from !== undefined && comparePositions(to, from) < 0)) {
      this.violate(`I3 ${shardId}: the log went back from ${before.end} to ${after.end}`);
    }
    if (pending === undefined || pending.end !== after.end) {
      return this.violate(`I4 ${shardId}: ${after.end} was committed without its intent`);
    }
    this.committed.add(pending.id);
    this.checkDurable(shardId, pending);
    for (const parent of shard.parents) {
      const head = this.heads.get(parent);
      if (head !== undefined && !head.finished)
        this.violate(`I5 ${shardId} committed before its parent ${parent} ended`);
      const records = this.stream.shards.get(parent)?.records ?? [];
      if (head === undefined && records.some(({ arrival }) => !this.stream.isTrimmed(arrival))) {
        this.violate(`I5 ${shardId} committed, and its parent ${parent} was never read`);
      }
    }
  }

  private checkDurable(shardId: string, pending: Pending): void {
    for (const { key, contentHash } of [...pending.segments, ...pending.quarantine]) {
      const object = this.bucket.objects.get(key);
      if (object === undefined) this.violate(`I3 ${shardId}: ${key} is committed and does not exist`);
      else if (object.metadata[CONTENT_HASH] !== contentHash) this.violate(`I3 ${key} is not what was committed`);
    }
  }

  /** The first record that the stream still has and the head does not cover. */
  firstUncommitted(
    shard: ShardLogOf<Elements>,
    head: Head,
  ): { readonly sequenceNumber: string; readonly arrival: number } | undefined {
    const position = parsePosition(head.end);
    const end = position && { ...position, element: 0 };
    const isUncommitted = ({ sequenceNumber, arrival, content }: ShardLogOf<Elements>['records'][number]): boolean => {
      if (this.stream.isTrimmed(arrival)) return false;
      if (end === undefined) return true;
      const order = comparePositions({ sequence: sequenceNumber, sub: content.at(-1)!.sub, element: 0 }, end);
      return order > 0 || (order === 0 && head.partial);
    };
    // Records are in the order of their arrival and sequence number: those from the first one on are all uncommitted.
    const { records } = shard;
    let low = 0;
    let high = records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isUncommitted(records[middle]!)) high = middle;
      else low = middle + 1;
    }
    return records[low];
  }

  private onLease(before: Row | undefined, after: Row | undefined): void {
    const checkpoint = after?.['checkpoint'];
    if (typeof checkpoint !== 'string') return;
    const shardId = after!['leaseKey'] as string;
    const at = (row: Row) => ({
      sequenceNumber: row['checkpoint'] as string,
      subSequenceNumber: Number(row['checkpointSubSequenceNumber'] ?? 0),
    });
    if (before?.['checkpoint'] !== undefined && compareExtended(at(after!), at(before)) < 0) {
      this.violate(`I3 lease ${shardId}: the checkpoint went back to ${checkpoint}`);
    }
    const head = this.heads.get(shardId);
    if (checkpoint === 'SHARD_END') {
      if (head !== undefined && !head.finished) this.violate(`I3 lease ${shardId} is at SHARD_END, its head is not`);
      return;
    }
    if (!/^\d+$/.test(checkpoint)) return;
    const end = head && parsePosition(head.end);
    const position = { sequence: checkpoint, sub: at(after!).subSequenceNumber, element: 0 };
    if (end === undefined || comparePositions(position, { ...end, element: 0 }) > 0) {
      this.violate(`I3 lease ${shardId}: checkpoint ${checkpoint} is ahead of the head`);
    }
  }

  private onPartition(before: Row | undefined, after: Row | undefined): void {
    const generation = Number(after?.['generation'] ?? 0);
    if (generation <= Number(before?.['generation'] ?? 0)) {
      this.violate(`I6 ${before?.['pk']}: generation ${before?.['generation']} became ${generation}`);
    }
    const manifest = this.bucket.json<PartitionManifest>(String(after?.['manifestKey']));
    if (manifest?.contentHash !== after?.['contentHash']) this.violate(`I6 ${after?.['pk']} is not what was sealed`);
  }

  private onObject(key: string): void {
    if (key.endsWith('/_inputs.json')) this.onFreeze(this.bucket.json<GenerationInputs>(key)!, key);
    if (key.endsWith('/_manifest.json')) this.onSeal(this.bucket.json<PartitionManifest>(key)!, key);
  }

  private onFreeze({ hour, generation, segments }: GenerationInputs, key: string): void {
    const before = key.replace(`gen=${generation}/`, `gen=${generation - 1}/`);
    const previous = this.bucket.json<GenerationInputs>(before)?.segments ?? [];
    if (generation > 1 && previous.length === 0) this.violate(`I6 ${key}: there is no generation before`);
    const names = new Set(segments.map((segment) => segment.key));
    for (const segment of previous) {
      if (!names.has(segment.key)) this.violate(`I6 ${key}: generation ${generation - 1} holds ${segment.key}`);
    }
    this.checkNotEarly(hour, segments, key);
  }

  /** Whatever arrived until the hour's end plus the lateness is in. */
  private checkNotEarly(hour: string, segments: readonly SegmentReference[], key: string): void {
    const start = Date.parse(`${hour}:00:00Z`);
    const until = start + HOUR + LATENESS_MS;
    if (this.now() < until) this.violate(`I6 ${key}: frozen before the hour was over`);
    const ranges = segments.map((segment) => objectName(segment.key));
    for (const { shardId, records } of this.stream.shards.values()) {
      const mine = ranges.filter((range) => range.shardId === shardId);
      for (const { sequenceNumber, arrival, content } of records) {
        if (arrival >= until || this.stream.isTrimmed(arrival)) continue;
        content.forEach((element) => {
          const { sub, index: at } = element;
          if (element.expect !== 'reading' || Math.floor(element.reading.time / HOUR) * HOUR !== start) return;
          if (mine.some((range) => isInRange(range, { sequence: sequenceNumber, sub, element: at }))) return;
          this.violate(`I6 ${key}: frozen without ${shardId} ${sequenceNumber}.${at}, which arrived in time`);
        });
      }
    }
  }

  private onSeal(manifest: PartitionManifest, key: string): void {
    this.seals++;
    this.onSealed(key);
    const inputs = this.bucket.json<GenerationInputs>(key.replace('_manifest.json', '_inputs.json'));
    if (inputs?.codeVersion !== manifest.codeVersion) this.violate(`I6 ${key}: another build than froze it`);
    const keys = (list: readonly SegmentReference[]): string => list.map((segment) => segment.key).join();
    if (inputs === undefined || keys(inputs.segments) !== keys(manifest.segments)) {
      this.violate(`I6 ${key}: the manifest's segments are not those that were frozen`);
    }
    for (const { key: part, bytes, contentHash } of manifest.parts) {
      const object = this.bucket.objects.get(part);
      if (object?.body.length !== bytes || object.metadata[CONTENT_HASH] !== contentHash) {
        this.violate(`I9 ${part} is not what its manifest says`);
      }
    }
  }
}
