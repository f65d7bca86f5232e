/**
 * Durable state of the local engines: an append-only file of JSON lines. What `append` confirmed is in the file, so it
 * survives the death of the process; a torn last line, which no caller was told of, is cut off at the next open.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** Characters that a rewrite collects before it writes them. */
const PIECE_LENGTH = 1 << 20;

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}

/** What one turn of the event loop appends. */
interface Batch {
  readonly lines: string[];
  readonly written: Promise<void>;
  readonly settle: (error?: Error) => void;
}

export class Journal<Entry> {
  /**
   * Bytes for which the disk of this file has room now; asked before each write, and a write that is longer ends as on
   * a full disk, with a part of it in the file and ENOSPC. Of all journals of the process, as a disk is; undefined = the
   * disk itself says. For tests of failure handling.
   */
  static room: ((path: string) => number) | undefined;

  private batch: Batch | undefined;
  private closed = false;

  private constructor(
    private readonly path: string,
    private descriptor: number,
    /** Bytes of whole entries; what stands behind them is no entry. */
    private size: number,
  ) {}

  /** Opens or creates the file and replays every entry, oldest first. */
  static open<Entry>(path: string, replay: (entry: Entry) => void): Journal<Entry> {
    mkdirSync(dirname(path), { recursive: true });
    let whole = 0;
    if (existsSync(path)) {
      const bytes = readFileSync(path);
      for (let from = 0, to = bytes.indexOf(10); to !== -1; from = to + 1, to = bytes.indexOf(10, from)) {
        replay(JSON.parse(bytes.toString('utf8', from, to)) as Entry);
        whole = to + 1;
      }
    }
    const descriptor = openSync(path, existsSync(path) ? 'r+' : 'w+');
    ftruncateSync(descriptor, whole);
    closeSync(descriptor);
    return new Journal<Entry>(path, openSync(path, 'a'), whole);
  }

  /**
   * Resolves once the entry is in the file; rejects where it is not, with no byte of it left there. Entries of one turn of
   * the event loop are written together, and fail together.
   */
  append(entry: Entry): Promise<void> {
    if (this.closed) throw new Error(`journal ${this.path} is closed`);
    const line = JSON.stringify(entry);
    if (this.batch === undefined) {
      this.batch = newBatch();
      setImmediate(() => this.flush());
    }
    this.batch.lines.push(line);
    return this.batch.written;
  }

  /** Replaces the whole file, atomically: compaction. */
  rewrite(entries: Iterable<Entry>): void {
    this.flush();
    const next = `${this.path}.next`;
    const descriptor = openSync(next, 'w');
    try {
      // In pieces: a stream's records together can be longer than the longest string.
      let lines: string[] = [];
      let length = 0;
      for (const entry of entries) {
        const line = `${JSON.stringify(entry)}\n`;
        lines.push(line);
        length += line.length;
        if (length >= PIECE_LENGTH) {
          writeAll(descriptor, Buffer.from(lines.join('')));
          lines = [];
          length = 0;
        }
      }
      writeAll(descriptor, Buffer.from(lines.join('')));
    } finally {
      closeSync(descriptor);
    }
    closeSync(this.descriptor);
    renameSync(next, this.path);
    this.descriptor = openSync(this.path, 'a');
    this.size = fstatSync(this.descriptor).size;
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    closeSync(this.descriptor);
  }

  private flush(): void {
    const batch = this.batch;
    if (batch === undefined) return;
    this.batch = undefined;
    const bytes = Buffer.from(`${batch.lines.join('\n')}\n`);
    try {
      this.write(bytes);
      this.size += bytes.length;
      batch.settle();
    } catch (error) {
      // Whatever of it is there would be in the middle of the next entry.
      ftruncateSync(this.descriptor, this.size);
      batch.settle(error as Error);
    }
  }

  private write(bytes: Buffer): void {
    const room = Journal.room?.(this.path) ?? Infinity;
    writeAll(this.descriptor, bytes.subarray(0, Math.min(room, bytes.length)));
    if (room < bytes.length) {
      throw Object.assign(new Error(`ENOSPC: no space left on device, write '${this.path}'`), { code: 'ENOSPC' });
    }
  }
}

function newBatch(): Batch {
  let settle: Batch['settle'] | undefined;
  const written = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error));
  });
  return { lines: [], written, settle: settle! };
}
