/** All queues, and the journal that they survive a restart by. */
import { join } from 'node:path';
import { Journal } from '../../storage/journal';
import { Queue } from './queue';
import type { QueueAttributes, QueueChange } from './queue';

type Entry =
  | { readonly type: 'queue'; readonly name: string; readonly attributes: QueueAttributes }
  | { readonly type: 'deleted'; readonly name: string }
  | { readonly type: 'change'; readonly name: string; readonly change: QueueChange };

/** Entries beyond those needed before the journal is written anew. */
const COMPACTION_SLACK = 10_000;

export class QueueStore {
  readonly queues = new Map<string, Queue>();
  private readonly journal: Journal<Entry> | undefined;
  private entries = 0;

  /** Without a directory the queues live in memory. */
  constructor(
    directory: string | undefined,
    private readonly arnOf: (name: string) => string,
  ) {
    if (directory === undefined) return;
    this.journal = Journal.open<Entry>(join(directory, 'queues.ndjson'), (entry) => this.apply(entry));
    this.compactIfWorthwhile();
  }

  save(name: string, attributes: QueueAttributes): Promise<void> {
    return this.record([{ type: 'queue', name, attributes }]);
  }

  delete(name: string): Promise<void> {
    return this.record([{ type: 'deleted', name }]);
  }

  /** Takes effect at once; resolves when it is durable. */
  change(changes: readonly { readonly queue: Queue; readonly change: QueueChange }[]): Promise<void> {
    return this.record(changes.map(({ queue, change }) => ({ type: 'change', name: queue.name, change })));
  }

  close(): void {
    this.journal?.close();
  }

  private async record(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) this.apply(entry);
    if (this.journal === undefined) return;
    const journal = this.journal;
    await Promise.all(entries.map((entry) => journal.append(entry)));
    this.compactIfWorthwhile();
  }

  private apply(entry: Entry): void {
    this.entries++;
    const queue = this.queues.get(entry.name);
    if (entry.type === 'deleted') {
      this.queues.delete(entry.name);
    } else if (entry.type === 'change') {
      queue?.apply(entry.change);
    } else if (queue === undefined) {
      this.queues.set(entry.name, new Queue(entry.name, this.arnOf(entry.name), entry.attributes));
    } else {
      queue.attributes = entry.attributes;
    }
  }

  private compactIfWorthwhile(): void {
    const queues = [...this.queues.values()];
    const needed = queues.length + queues.reduce((sum, queue) => sum + [...queue.all()].length, 0);
    if (this.entries <= needed + COMPACTION_SLACK) return;
    this.journal?.rewrite(
      queues.flatMap((queue): Entry[] => [
        { type: 'queue', name: queue.name, attributes: queue.attributes },
        ...[...queue.all()].map((message): Entry => ({
          type: 'change',
          name: queue.name,
          change: { type: 'added', message },
        })),
      ]),
    );
    this.entries = needed;
  }
}
