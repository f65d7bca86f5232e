/** What was called, by whom, with which outcome. Never what was in it. */
import { appendFileSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface RequestLogEntry {
  /** ISO 8601, when the request arrived. */
  readonly time: string;
  readonly service: string;
  /** API operation; method and path for the REST services. */
  readonly operation: string;
  /** ARN of the role, or of the account's root. */
  readonly caller: string;
  readonly status: number;
  readonly ms: number;
  /** Error shape, where the call failed. */
  readonly error?: string;
}

export interface RequestLogOptions {
  /** Newest entries kept in memory. Default 1,000. */
  readonly capacity?: number;
  /** NDJSON file; one older file `<file>.1` is kept. */
  readonly file?: string;
  /** Bytes after which the file is put aside. Default 32 MiB. */
  readonly fileLimit?: number;
}

const FLUSH_MS = 500;

export class RequestLog {
  private readonly ring: RequestLogEntry[] = [];
  private next = 0;
  private readonly counts = new Map<string, number>();
  private pending: string[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly capacity: number;

  constructor(private readonly options: RequestLogOptions = {}) {
    this.capacity = options.capacity ?? 1_000;
    if (options.file !== undefined) mkdirSync(dirname(options.file), { recursive: true });
  }

  add(entry: RequestLogEntry): void {
    this.ring[this.next] = entry;
    this.next = (this.next + 1) % this.capacity;
    this.counts.set(entry.service, (this.counts.get(entry.service) ?? 0) + 1);
    if (this.options.file === undefined) return;
    this.pending.push(JSON.stringify(entry), '\n');
    this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** Oldest first; at most `capacity`. */
  entries(): RequestLogEntry[] {
    return [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)];
  }

  /** Requests per service since the start. */
  totals(): Record<string, number> {
    return Object.fromEntries(this.counts);
  }

  close(): void {
    this.flush();
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const file = this.options.file;
    if (file === undefined || this.pending.length === 0) return;
    const lines = this.pending.join('');
    this.pending = [];
    try {
      if (existsSync(file) && statSync(file).size > (this.options.fileLimit ?? 32 * 2 ** 20))
        renameSync(file, `${file}.1`);
      appendFileSync(file, lines);
    } catch {
      // A log that cannot be written (full disk) must not take the services down with it.
    }
  }
}
