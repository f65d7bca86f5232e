/**
 * Streams on disk: one journal per stream with its settings and its records in the order in which they came about.
 * Without a directory streams live in memory only.
 */
import { mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '../../storage/journal';
import { base64Size, dataOf } from './record-log';
import { Stream } from './stream';
import type { ShardState, StreamSettings } from './stream';

const SUFFIX = '.jsonl';
/** Rewriting a journal of which little is dead would cost more than it frees. */
const COMPACT_FROM_RECORDS = 10_000;
const RECORDS_PER_ENTRY = 500;

/** Shard index, counter, arrival, partition key, data in base64, 1 where encrypted. */
export type RecordRow = readonly [number, number, number, string, string, 0 | 1];

interface ShardEntry extends Omit<ShardState, 'start' | 'end'> {
  readonly start: string;
  readonly end: string;
}

type Entry =
  | { readonly settings: StreamSettings; readonly counter: number; readonly shards: readonly ShardEntry[] }
  | { readonly records: readonly RecordRow[] };

interface StreamFile {
  readonly journal: Journal<Entry>;
  readonly path: string;
  /** Records in the file, trimmed ones included. */
  rows: number;
}

export class StreamStorage {
  private readonly files = new Map<string, StreamFile>();

  constructor(private readonly directory?: string) {
    if (directory !== undefined) mkdirSync(directory, { recursive: true });
  }

  /** Reads every stream; records beyond retention are left out and, where they are the larger part, off the disk. */
  load(now: number): Stream[] {
    if (this.directory === undefined) return [];
    const names = readdirSync(this.directory).filter((name) => name.endsWith(SUFFIX));
    return names.flatMap((name) => this.loadOne(join(this.directory as string, name), now) ?? []);
  }

  /** Resolves once the stream's settings and shards are durable. */
  async saveStream(stream: Stream): Promise<void> {
    await this.file(stream)?.journal.append(describe(stream));
  }

  /** Resolves once the records are durable. */
  async saveRecords(stream: Stream, rows: readonly RecordRow[]): Promise<void> {
    const file = this.file(stream);
    if (file === undefined) return;
    file.rows += rows.length;
    await file.journal.append({ records: rows });
  }

  remove(stream: Stream): void {
    const file = this.files.get(stream.settings.name);
    if (file === undefined) return;
    this.files.delete(stream.settings.name);
    file.journal.close();
    unlinkSync(file.path);
  }

  /** Drops trimmed records from the file where they are more than the live ones. */
  compact(stream: Stream): void {
    const file = this.files.get(stream.settings.name);
    let live = 0;
    for (const shard of stream.shards.values()) live += shard.log.length;
    if (file === undefined || file.rows - live < Math.max(COMPACT_FROM_RECORDS, live)) return;
    file.journal.rewrite(entriesOf(stream));
    file.rows = live;
  }

  close(): void {
    for (const file of this.files.values()) file.journal.close();
    this.files.clear();
  }

  private file(stream: Stream): StreamFile | undefined {
    if (this.directory === undefined) return undefined;
    const name = stream.settings.name;
    let file = this.files.get(name);
    if (file === undefined) {
      const path = join(this.directory, name + SUFFIX);
      file = { journal: Journal.open<Entry>(path, () => undefined), path, rows: 0 };
      this.files.set(name, file);
    }
    return file;
  }

  private loadOne(path: string, now: number): Stream | undefined {
    let stream: Stream | undefined;
    let rows = 0;
    const journal = Journal.open<Entry>(path, (entry) => {
      if ('settings' in entry) {
        stream ??= new Stream(entry.settings);
        Object.assign(stream.settings, entry.settings);
        stream.restore(entry.counter, entry.shards.map(readShard), now);
        return;
      }
      rows += entry.records.length;
      for (const row of entry.records) restoreRecord(stream, row);
    });
    if (stream === undefined) {
      // Its creation was never confirmed to anyone.
      journal.close();
      unlinkSync(path);
      return undefined;
    }
    this.files.set(stream.settings.name, { journal, path, rows });
    stream.trim(now);
    this.compact(stream);
    return stream;
  }
}

function restoreRecord(stream: Stream | undefined, row: RecordRow): void {
  const [shardIndex, counter, arrival, partitionKey, data, encrypted] = row;
  stream?.restoreCounter(counter);
  // A shard that has expired since is not in later settings; its records are beyond retention too.
  stream?.shards
    .get(shardIndex)
    ?.log.append(counter, arrival, partitionKey, data, base64Size(data) ?? 0, encrypted === 1);
}

function describe(stream: Stream): Entry {
  const shards = [...stream.shards.values()].map(
    ({ id: _id, log: _log, throttle: _throttle, start, end, ...state }): ShardEntry => ({
      ...state,
      start: String(start),
      end: String(end),
    }),
  );
  return { settings: stream.settings, counter: stream.lastCounter, shards };
}

function readShard(entry: ShardEntry): ShardState {
  return { ...entry, start: BigInt(entry.start), end: BigInt(entry.end) };
}

function* entriesOf(stream: Stream): Generator<Entry> {
  yield describe(stream);
  for (const shard of stream.shards.values()) {
    let rows: RecordRow[] = [];
    for (const record of shard.log) {
      rows.push([
        shard.index,
        record.counter,
        record.arrival,
        record.partitionKey,
        dataOf(record),
        record.encrypted ? 1 : 0,
      ]);
      if (rows.length === RECORDS_PER_ENTRY) {
        yield { records: rows };
        rows = [];
      }
    }
    if (rows.length > 0) yield { records: rows };
  }
}
