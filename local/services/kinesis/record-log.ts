/**
 * The records of one shard, oldest first. Payload bytes stand in large slabs outside of the JavaScript heap; a record
 * is a few numbers and its partition key. Finding a place is a binary search, reading costs only what is read.
 */
const FIRST_SLAB_BYTES = 1 << 14;
const SLAB_BYTES = 1 << 20;

export interface StoredRecord {
  readonly counter: number;
  /** Epoch milliseconds, never below that of the record before. */
  readonly arrival: number;
  readonly partitionKey: string;
  readonly size: number;
  readonly encrypted: boolean;
  readonly slab: Buffer;
  readonly offset: number;
}

export class RecordLog {
  private records: StoredRecord[] = [];
  /** Records before this index are trimmed; they leave the array in bulk. */
  private first = 0;
  private slab = Buffer.alloc(0);
  private used = 0;

  get length(): number {
    return this.records.length - this.first;
  }

  get last(): StoredRecord | undefined {
    return this.length === 0 ? undefined : this.records[this.records.length - 1];
  }

  /** Decodes `base64` into the log. `size` is the decoded length, which the caller has checked. */
  append(
    counter: number,
    arrival: number,
    partitionKey: string,
    base64: string,
    size: number,
    encrypted: boolean,
  ): void {
    if (this.used + size > this.slab.length) {
      // Most shards of a short run hold little.
      const bytes = Math.min(SLAB_BYTES, Math.max(FIRST_SLAB_BYTES, 2 * this.slab.length));
      this.slab = Buffer.allocUnsafeSlow(Math.max(bytes, size));
      this.used = 0;
    }
    this.slab.write(base64, this.used, size, 'base64');
    this.records.push({ counter, arrival, partitionKey, size, encrypted, slab: this.slab, offset: this.used });
    this.used += size;
  }

  /** The first record for which `before` is false; records are ordered so that it is true for a prefix only. */
  private search(before: (record: StoredRecord) => boolean): number {
    let low = this.first;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (before(this.records[middle] as StoredRecord)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Records from `counter` on: at most `limit`, and at most `maxBytes` of data and keys but always one. */
  read(
    counter: number,
    limit: number,
    maxBytes: number,
  ): { records: StoredRecord[]; bytes: number; next?: StoredRecord } {
    const from = this.search((record) => record.counter < counter);
    let bytes = 0;
    let at = from;
    for (; at < this.records.length && at - from < limit; at++) {
      const record = this.records[at] as StoredRecord;
      const size = record.size + Buffer.byteLength(record.partitionKey);
      if (at > from && bytes + size > maxBytes) break;
      bytes += size;
    }
    return { records: this.records.slice(from, at), bytes, next: this.records[at] };
  }

  firstAtOrAfter(time: number): StoredRecord | undefined {
    return this.records[this.search((record) => record.arrival < time)];
  }

  /** Forgets records that arrived before `time`; returns how many. */
  trimBefore(time: number): number {
    const keep = this.search((record) => record.arrival < time);
    const trimmed = keep - this.first;
    this.first = keep;
    if (this.first > 1_000 && this.first * 2 > this.records.length) {
      this.records = this.records.slice(this.first);
      this.first = 0;
    }
    return trimmed;
  }

  *[Symbol.iterator](): IterableIterator<StoredRecord> {
    for (let at = this.first; at < this.records.length; at++) yield this.records[at] as StoredRecord;
  }
}

export function dataOf(record: StoredRecord): string {
  return record.slab.toString('base64', record.offset, record.offset + record.size);
}

/** Decoded length of well-formed base64; undefined for anything else. */
export function base64Size(text: string): number | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}
