/**
 * Durable state of the local engines: an append-only file of JSON lines. What `append` confirmed is in the file, so it
 * survives the death of the process; a torn last line, which no caller was told of, is cut off at the next open.
 */
import {
  closeSync,
  existsSync,
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

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
}

export class Journal<Entry> {
  private queue: string[] = [];
  private flushed: Promise<void> | undefined;
  private closed = false;

  private constructor(
    private readonly path: string,
    private descriptor: number,
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
    return new Journal<Entry>(path, openSync(path, 'a'));
  }

  /** Resolves once the entry is in the file. Entries of one turn of the event loop are written together. */
  append(entry: Entry): Promise<void> {
    if (this.closed) throw new Error(`journal ${this.path} is closed`);
    this.queue.push(JSON.stringify(entry));
    this.flushed ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        try {
          this.flush();
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    return this.flushed;
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
          writeAll(descriptor, lines.join(''));
          lines = [];
          length = 0;
        }
      }
      writeAll(descriptor, lines.join(''));
    } finally {
      closeSync(descriptor);
    }
    closeSync(this.descriptor);
    renameSync(next, this.path);
    this.descriptor = openSync(this.path, 'a');
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    closeSync(this.descriptor);
  }

  private flush(): void {
    const lines = this.queue;
    this.queue = [];
    this.flushed = undefined;
    if (lines.length === 0) return;
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    for (let at = 0; at < bytes.length;) at += writeSync(this.descriptor, bytes, at);
  }
}
