/**
 * Items ordered as a table or index orders them: by partition key, hashed, and in each partition by sort key. Every
 * place has a total order, so that a page continues after a key even where that item is gone.
 */
import { hash } from 'node:crypto';
import { compareStrings, compareValues } from './attribute-value';
import type { AttributeValue, Item } from './attribute-value';
import { valueString } from './schema';

export interface StoredItem {
  readonly item: Item;
  readonly size: number;
  /** The table's key as one string. */
  readonly key: string;
}

/** A place in a partition: sort key, then the table's key, which tells apart items of an index with equal keys. */
export interface Place {
  readonly range: AttributeValue | undefined;
  readonly key: string;
}

interface Entry extends Place {
  readonly stored: StoredItem;
}

interface Partition {
  /** MD5 of the partition key: the order of Scan, and what divides its segments. */
  readonly token: string;
  readonly entries: Entry[];
}

function comparePlaces(left: Place, right: Place): number {
  const order =
    left.range === undefined || right.range === undefined ? 0 : (compareValues(left.range, right.range) ?? 0);
  return order !== 0 ? order : compareStrings(left.key, right.key);
}

function search<T>(list: readonly T[], isBefore: (element: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(list[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function partitionToken(partitionKey: AttributeValue): string {
  return hash('md5', valueString(partitionKey), 'hex');
}

export class ItemIndex {
  private readonly partitions = new Map<string, Partition>();
  /** Partitions by token; rebuilt at a scan after partitions came or went. */
  private ordered: Partition[] | undefined;

  put(partitionKey: AttributeValue, range: AttributeValue | undefined, stored: StoredItem): void {
    const name = valueString(partitionKey);
    let partition = this.partitions.get(name);
    if (partition === undefined) {
      partition = { token: partitionToken(partitionKey), entries: [] };
      this.partitions.set(name, partition);
      this.ordered = undefined;
    }
    const entry: Entry = { range, key: stored.key, stored };
    const at = search(partition.entries, (other) => comparePlaces(other, entry) < 0);
    const replaced = at < partition.entries.length && comparePlaces(partition.entries[at] as Entry, entry) === 0;
    partition.entries.splice(at, replaced ? 1 : 0, entry);
  }

  remove(partitionKey: AttributeValue, place: Place): void {
    const name = valueString(partitionKey);
    const partition = this.partitions.get(name);
    if (partition === undefined) return;
    const at = search(partition.entries, (other) => comparePlaces(other, place) < 0);
    if (at === partition.entries.length || comparePlaces(partition.entries[at] as Entry, place) !== 0) return;
    partition.entries.splice(at, 1);
    if (partition.entries.length === 0) {
      this.partitions.delete(name);
      this.ordered = undefined;
    }
  }

  /** Items of one partition in order, or backwards, after a place. `inRange` is negative below, 0 inside, positive above the range asked for. */
  *query(
    partitionKey: AttributeValue,
    forward: boolean,
    after: Place | undefined,
    inRange: (range: AttributeValue | undefined) => number,
  ): Generator<StoredItem> {
    const entries = this.partitions.get(valueString(partitionKey))?.entries ?? [];
    if (forward) {
      const start = search(entries, (entry) => inRange(entry.range) < 0);
      const resume = after === undefined ? 0 : search(entries, (entry) => comparePlaces(entry, after) <= 0);
      for (let at = Math.max(start, resume); at < entries.length; at++) {
        const entry = entries[at] as Entry;
        if (inRange(entry.range) !== 0) return;
        yield entry.stored;
      }
      return;
    }
    const end = search(entries, (entry) => inRange(entry.range) <= 0);
    const resume = after === undefined ? entries.length : search(entries, (entry) => comparePlaces(entry, after) < 0);
    for (let at = Math.min(end, resume) - 1; at >= 0; at--) {
      const entry = entries[at] as Entry;
      if (inRange(entry.range) !== 0) return;
      yield entry.stored;
    }
  }

  /** All items of a segment, 0 ≤ `segment` < `segments`, after a place in the partition with this token. */
  *scan(
    segment: number,
    segments: number,
    after?: { readonly token: string; readonly place: Place },
  ): Generator<StoredItem> {
    this.ordered ??= [...this.partitions.values()].sort((left, right) => (left.token < right.token ? -1 : 1));
    const ordered = this.ordered;
    let at = search(ordered, (partition) => segmentOf(partition.token, segments) < segment);
    if (after !== undefined)
      at = Math.max(
        at,
        search(ordered, (partition) => partition.token < after.token),
      );
    for (; at < ordered.length; at++) {
      const { token, entries } = ordered[at] as Partition;
      if (segmentOf(token, segments) !== segment) return;
      const from =
        after !== undefined && token === after.token
          ? search(entries, (entry) => comparePlaces(entry, after.place) <= 0)
          : 0;
      for (let index = from; index < entries.length; index++) yield (entries[index] as Entry).stored;
    }
  }
}

/** Segments divide the tokens evenly. */
export function segmentOf(token: string, segments: number): number {
  return Math.floor((parseInt(token.slice(0, 8), 16) * segments) / 2 ** 32);
}
