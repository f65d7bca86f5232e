/** What must hold of an application's deliveries whatever its workers went through. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { compareExtended, Sentinel } from '../../consumer/kcl';
import type { Application } from './application';
import type { StoredRecord, Stream } from './stream';
import { kindOf, type Kind, type Note } from './worker-process';

/** Sequence numbers or sentinels. */
function compare(left: string, right: string): number {
  const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });
  return compareExtended(at(left), at(right));
}

/** A record processor, from its `initialize` on. */
interface Processor {
  readonly worker: string;
  readonly shardId: string;
  readonly begunAt: number;
  /** The checkpoint that it was told. */
  readonly start: string;
  readonly records: StoredRecord[];
  /** The furthest checkpoint that the library accepted from it. */
  checkpoint: string;
  endedAt?: number;
  leaseLost: boolean;
}

/** What is judged: an application, or what a test makes up. */
export interface Delivered {
  readonly stream: Pick<Stream, 'parents' | 'read' | 'written'>;
  /** In the order of time. */
  readonly notes: readonly Note[];
}

export interface Deliveries {
  readonly records: number;
  readonly deliveries: number;
  readonly duplicates: number;
  /** Shards whose end was handled by each kind. */
  readonly shardsEnded: Readonly<Record<Kind, number>>;
  /** Of a shard's children, those that the other kind began than had ended the parent: Java's shards on Node, and Node's on Java. */
  readonly childrenOfJavaOnNode: number;
  readonly childrenOfNodeOnJava: number;
}

/**
 * Each processor was given its shard's records one after the other, beginning right after its checkpoint; a successor's
 * checkpoint is none before the predecessor's last; a child began after its parents' ends; every record was processed. So
 * a record that was processed twice lies between a checkpoint and a takeover.
 */
export async function checkDeliveries({ stream, notes }: Delivered): Promise<Deliveries> {
  const parents = await stream.parents();
  const processors = processorsOf(notes);
  for (const shardId of parents.keys()) {
    const own = processors.filter((processor) => processor.shardId === shardId);
    const stored = await stream.read(shardId);
    for (const processor of own) checkOrder(processor, stored);
    checkCheckpoints(own);
    const delivered = new Set(own.flatMap(({ records }) => records.map(({ id }) => id)));
    assert.deepEqual(
      stored.filter(({ id }) => !delivered.has(id)),
      [],
      `records of ${shardId} that no worker processed`,
    );
  }
  const inherited = checkParents(processors, parents);
  const processed = notes.filter(({ event }) => event === 'record').map(({ detail }) => detail);
  const records = new Set(processed).size;
  assert.equal(records, stream.written.length, 'records processed');
  return { records, deliveries: processed.length, duplicates: processed.length - records, ...inherited };
}

function processorsOf(notes: readonly Note[]): Processor[] {
  const all: Processor[] = [];
  const current = new Map<string, Processor>();
  for (const { worker, shardId, event, sequenceNumber, detail, time } of notes) {
    const key = `${worker} ${shardId}`;
    if (event === 'initialize') {
      const start = sequenceNumber;
      const processor = { worker, shardId, begunAt: time, start, records: [], checkpoint: start, leaseLost: false };
      current.set(key, processor);
      all.push(processor);
    }
    const processor = current.get(key);
    if (!processor) continue;
    if (event === 'record') processor.records.push({ sequenceNumber, id: detail });
    if (event === 'shardEnded') processor.endedAt = time;
    if (event === 'leaseLost') processor.leaseLost = true;
    // A processor that was given no record yet checkpoints where it began.
    if (event === 'checkpoint' && sequenceNumber !== '-' && compare(sequenceNumber, processor.checkpoint) > 0) {
      processor.checkpoint = sequenceNumber;
    }
  }
  return all;
}

function checkOrder({ worker, shardId, start, records }: Processor, stored: readonly StoredRecord[]): void {
  const from = stored.findIndex(({ sequenceNumber }) => compare(sequenceNumber, start) > 0);
  const expected = from < 0 ? [] : stored.slice(from, from + records.length);
  assert.deepEqual(
    records.map(({ id }) => id),
    expected.map(({ id }) => id),
    `what ${worker} was given of ${shardId} from ${start} on`,
  );
}

/** A Java worker may initialize a processor of a lease that has gone already, and tells it so before it has any record. */
function checkCheckpoints(all: readonly Processor[]): void {
  const own = all.filter(({ records, leaseLost }) => records.length > 0 || !leaseLost);
  own.slice(1).forEach((successor, index) => {
    const predecessor = own[index] as Processor;
    assert.ok(
      compare(predecessor.checkpoint, successor.start) <= 0,
      `${predecessor.worker} checkpointed ${predecessor.shardId} at ${predecessor.checkpoint}, and ${successor.worker} began it at ${successor.start}`,
    );
  });
}

function checkParents(processors: readonly Processor[], parents: ReadonlyMap<string, readonly string[]>) {
  const ends = new Map<string, Processor>();
  for (const processor of processors) {
    if (processor.endedAt !== undefined && !ends.has(processor.shardId)) ends.set(processor.shardId, processor);
  }
  let [childrenOfJavaOnNode, childrenOfNodeOnJava] = [0, 0];
  for (const [shardId, parentIds] of parents) {
    const first = processors.find((processor) => processor.shardId === shardId);
    if (!first) continue;
    for (const parentId of parentIds) {
      const parent = ends.get(parentId);
      const endedAt = parent?.endedAt ?? Infinity;
      assert.ok(endedAt <= first.begunAt, `${shardId} was begun at ${first.begunAt}, ${parentId} ended at ${endedAt}`);
      const [from, to] = [kindOf(parent?.worker ?? ''), kindOf(first.worker)];
      if (from === 'java' && to === 'node') childrenOfJavaOnNode++;
      if (from === 'node' && to === 'java') childrenOfNodeOnJava++;
    }
  }
  const endedBy = (kind: Kind): number => [...ends.values()].filter(({ worker }) => kindOf(worker) === kind).length;
  return { shardsEnded: { java: endedBy('java'), node: endedBy('node') }, childrenOfJavaOnNode, childrenOfNodeOnJava };
}

/** The worker went on where the leases said. @param expected checkpoints by shard, of shards that have not ended */
export function checkStarts(notes: readonly Note[], expected: ReadonlyMap<string, string>): void {
  const starts = new Map<string, string>();
  for (const { event, shardId, sequenceNumber } of notes) {
    if (event === 'initialize' && !starts.has(shardId)) starts.set(shardId, sequenceNumber);
  }
  for (const [shardId, checkpoint] of expected) assert.equal(starts.get(shardId), checkpoint, `start of ${shardId}`);
}

/** Checkpoints by shard, of leases whose shards have not ended. */
export async function checkpointsOf(application: Application): Promise<Map<string, string>> {
  const pairs = (await application.leases()).map(
    (lease) => [lease['leaseKey']?.S ?? '', lease['checkpoint']?.S ?? ''] as const,
  );
  return new Map(pairs.filter(([, checkpoint]) => checkpoint !== Sentinel.SHARD_END));
}

/**
 * A worker that cannot read a row, or meets one that it does not expect, says so. Java tells of every row that it cannot
 * deserialize; a conditional write that another worker came before is no misreading.
 */
export function checkLogs(application: Application): void {
  const misreading =
    /deserializ|unmarshal|NumberFormatException|NullPointerException|ClassCastException|IllegalArgumentException|ValidationException|UnknownOperation|SerializationException/i;
  for (const { id, log } of application.workers) {
    const lines = readFileSync(log, 'utf8').split('\n');
    // The frames of a stack trace name methods, whatever the error.
    const misread = lines.filter((line) => misreading.test(line) && !/^\s+at /.test(line));
    assert.deepEqual(misread, [], `${id} met what it cannot read; its log is ${log}`);
  }
}
