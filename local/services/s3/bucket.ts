/**
 * One bucket: plain files, and a journal of what S3 knows about them. The journal is the truth. An object's bytes are
 * staged first, then its entry is journalled, then the staged file is renamed into place: a process that dies between
 * two of these steps leaves a staged file, and the next open either finishes its rename (the entry is there) or
 * removes it (the client was told nothing).
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, openSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { Clock } from '../../gateway/service';
import { Journal } from '../../storage/journal';
import { keyToPath } from './key-path';
import { SortedKeys } from './sorted-keys';
import type { ChangeReason, ObjectAttributes, ObjectChange, StoredObject } from './stored-object';
import type { Checksum, Content } from './upload';

type Entry =
  | { readonly op: 'put'; readonly object: StoredObject; readonly staged: string; readonly change?: ObjectChange }
  | { readonly op: 'delete'; readonly key: string; readonly sequencer: string; readonly change?: ObjectChange }
  /** What remains of an untold change after a rewrite of the journal. */
  | { readonly op: 'tell'; readonly change: ObjectChange }
  /** EventBridge has the change. */
  | { readonly op: 'told'; readonly sequencer: string };

export interface BucketOptions {
  readonly name: string;
  /** The objects' directory. */
  readonly directory: string;
  /** Journal, staged files, multipart uploads and objects whose plain path is taken. */
  readonly metaDirectory: string;
  readonly clock: Clock;
  /** Whether changes are to be announced, asked at each change. */
  readonly announces: () => boolean;
  readonly announce: (change: ObjectChange) => void;
}

export interface NewObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly checksum?: Checksum;
  readonly attributes: ObjectAttributes;
  readonly content: Content;
  readonly reason: ChangeReason;
  /** Decides on what stands under the key at the moment of the change; throws to refuse. */
  readonly condition?: (current: StoredObject | undefined) => void;
}

/** A journal is rewritten at open once it holds this many entries more than twice its objects. */
const COMPACTION_SLACK = 1_000;

export class Bucket {
  readonly stagingDirectory: string;
  readonly uploadsDirectory: string;
  private readonly asideDirectory: string;
  private readonly objects = new Map<string, StoredObject>();
  private readonly untold = new Map<string, ObjectChange>();
  /** Hashes of the keys whose files stand aside. */
  private readonly aside: Set<string>;
  /** The last change under way of each key: changes of one key happen one after the other. */
  private readonly changing = new Map<string, Promise<unknown>>();
  private readonly index: SortedKeys;
  private readonly journal: Journal<Entry>;
  private lastSequence = 0;

  constructor(private readonly options: BucketOptions) {
    this.stagingDirectory = join(options.metaDirectory, 'staging');
    this.uploadsDirectory = join(options.metaDirectory, 'uploads');
    this.asideDirectory = join(options.metaDirectory, 'aside');
    for (const directory of [options.directory, this.stagingDirectory, this.uploadsDirectory, this.asideDirectory]) {
      mkdirSync(directory, { recursive: true });
    }
    this.aside = new Set(readdirSync(this.asideDirectory));
    const staged = new Set(readdirSync(this.stagingDirectory));
    const deleted = new Set<string>();
    let entries = 0;
    this.journal = Journal.open<Entry>(join(options.metaDirectory, 'journal.jsonl'), (entry) => {
      entries++;
      this.replay(entry, staged, deleted);
    });
    for (const name of staged) rmSync(join(this.stagingDirectory, name), { force: true });
    for (const key of deleted) this.removeFile(key);
    this.index = SortedKeys.from(this.objects.keys());
    if (entries > 2 * this.objects.size + COMPACTION_SLACK) this.compact();
  }

  get name(): string {
    return this.options.name;
  }

  get keys(): SortedKeys {
    return this.index;
  }

  /** Changes that EventBridge may not have heard of: their process died first. */
  get untoldChanges(): readonly ObjectChange[] {
    return [...this.untold.values()];
  }

  find(key: string): StoredObject | undefined {
    return this.objects.get(key);
  }

  pathOf(key: string): string {
    const hash = hashOf(key);
    return this.aside.has(hash) ? join(this.asideDirectory, hash) : join(this.options.directory, keyToPath(key));
  }

  /**
   * Opens the object's file, which stays readable as it is even when the key is overwritten or deleted meanwhile.
   * @returns undefined where there is no such object
   */
  open(key: string): { readonly object: StoredObject; readonly descriptor: number } | undefined {
    const object = this.objects.get(key);
    if (object === undefined) return undefined;
    try {
      return { object, descriptor: openSync(this.pathOf(key), 'r') };
    } catch (error) {
      // Somebody removed the file by hand.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Publishes an object: visible whole or not at all. @throws what `condition` throws */
  put(next: NewObject): Promise<StoredObject> {
    keyToPath(next.key);
    return this.alone(next.key, async () => {
      try {
        next.condition?.(this.objects.get(next.key));
      } catch (error) {
        if ('file' in next.content) rmSync(next.content.file, { force: true });
        throw error;
      }
      const staged = randomUUID();
      const stagedPath = join(this.stagingDirectory, staged);
      if ('bytes' in next.content) writeFileSync(stagedPath, next.content.bytes);
      else renameSync(next.content.file, stagedPath);
      const sequencer = this.nextSequencer();
      const now = this.options.clock.now();
      const object: StoredObject = {
        key: next.key,
        size: next.size,
        etag: next.etag,
        lastModified: now,
        sequencer,
        ...(next.checksum !== undefined && { checksum: next.checksum }),
        attributes: next.attributes,
      };
      const { key, size, etag } = next;
      const change = this.changeToTell({
        type: 'Object Created',
        reason: next.reason,
        key,
        size,
        etag,
        sequencer,
        time: now,
      });
      await this.journal.append({ op: 'put', object, staged, ...(change && { change }) });
      this.place(stagedPath, key);
      this.objects.set(key, object);
      this.index.add(key);
      if (change !== undefined) this.options.announce(change);
      return object;
    });
  }

  /** Deleting what is not there succeeds. */
  delete(key: string, condition?: (current: StoredObject | undefined) => void): Promise<void> {
    keyToPath(key);
    return this.alone(key, async () => {
      condition?.(this.objects.get(key));
      if (!this.objects.has(key)) return;
      const sequencer = this.nextSequencer();
      const change = this.changeToTell({
        type: 'Object Deleted',
        reason: 'DeleteObject',
        key,
        sequencer,
        time: this.options.clock.now(),
      });
      await this.journal.append({ op: 'delete', key, sequencer, ...(change && { change }) });
      this.removeFile(key);
      this.objects.delete(key);
      this.index.delete(key);
      if (change !== undefined) this.options.announce(change);
    });
  }

  /** EventBridge has taken the change. */
  async told(change: ObjectChange): Promise<void> {
    this.untold.delete(change.sequencer);
    await this.journal.append({ op: 'told', sequencer: change.sequencer });
  }

  close(): void {
    this.journal.close();
  }

  private async alone<Result>(key: string, change: () => Promise<Result>): Promise<Result> {
    const before = this.changing.get(key);
    const mine = (before ?? Promise.resolve()).catch(() => undefined).then(change);
    this.changing.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.changing.get(key) === mine) this.changing.delete(key);
    }
  }

  private changeToTell(change: ObjectChange): ObjectChange | undefined {
    if (!this.options.announces()) return undefined;
    this.untold.set(change.sequencer, change);
    return change;
  }

  private nextSequencer(): string {
    this.lastSequence = Math.max(this.lastSequence + 1, Math.floor(this.options.clock.now() * 1_000));
    return this.lastSequence.toString(16).toUpperCase().padStart(16, '0');
  }

  private replay(entry: Entry, staged: Set<string>, deleted: Set<string>): void {
    if (entry.op === 'told') {
      this.untold.delete(entry.sequencer);
      return;
    }
    if (entry.change !== undefined) this.untold.set(entry.change.sequencer, entry.change);
    if (entry.op === 'tell') return;
    if (entry.op === 'delete') {
      this.objects.delete(entry.key);
      deleted.add(entry.key);
      this.lastSequence = Math.max(this.lastSequence, Number.parseInt(entry.sequencer, 16));
      return;
    }
    if (staged.delete(entry.staged)) this.place(join(this.stagingDirectory, entry.staged), entry.object.key);
    this.objects.set(entry.object.key, entry.object);
    deleted.delete(entry.object.key);
    this.lastSequence = Math.max(this.lastSequence, Number.parseInt(entry.object.sequencer, 16));
  }

  private compact(): void {
    const puts: Entry[] = [...this.objects.values()].map((object) => ({ op: 'put', object, staged: '' }));
    const changes: Entry[] = [...this.untold.values()].map((change) => ({ op: 'tell', change }));
    this.journal.rewrite([...puts, ...changes]);
  }

  /** Moves a staged file to the key's plain path, or aside where another key's file or directory has that path. */
  private place(stagedPath: string, key: string): void {
    const path = join(this.options.directory, keyToPath(key));
    const hash = hashOf(key);
    try {
      renameInto(stagedPath, path);
    } catch (error) {
      if (!PATH_TAKEN.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      renameSync(stagedPath, join(this.asideDirectory, hash));
      this.aside.add(hash);
      return;
    }
    if (this.aside.delete(hash)) rmSync(join(this.asideDirectory, hash), { force: true });
  }

  private removeFile(key: string): void {
    const hash = hashOf(key);
    if (this.aside.delete(hash)) {
      rmSync(join(this.asideDirectory, hash), { force: true });
      return;
    }
    const path = join(this.options.directory, keyToPath(key));
    try {
      rmSync(path, { force: true });
      for (let parent = dirname(path); parent !== this.options.directory; parent = dirname(parent)) rmdirSync(parent);
    } catch {
      // The path is another key's directory, or the parent still holds something: both are as they should be.
    }
  }
}

const PATH_TAKEN = new Set(['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY']);

function renameInto(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export function noSuchKey(key: string): AwsError {
  return new AwsError('NoSuchKey', 'The specified key does not exist.', 404, { Key: key });
}
