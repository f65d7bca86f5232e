/** Mirrors KCL's ShardConsumerTest, ShutdownTaskTest and BlockOnParentShardTaskTest. */
import { InvalidArgumentError, ShutdownError } from '../../../consumer/kcl/common/errors';
import type { LeaseHolder } from '../../../consumer/kcl/leases/lease-holder';
import { ShardConsumer, type ShardConsumerOptions } from '../../../consumer/kcl/lifecycle/shard-consumer';
import { createChildLeases } from '../../../consumer/kcl/lifecycle/tasks/shard-end-task';
import { parentsAreFinished } from '../../../consumer/kcl/lifecycle/tasks/block-on-parent-shard-task';
import type {
  Checkpointer,
  InitializationInput,
  ProcessRecordsInput,
  ShardRecordProcessor,
} from '../../../consumer/kcl/processor';
import type { RecordsPublisher, RetrievedBatch } from '../../../consumer/kcl/retrieval/records-publisher';
import { aggregate } from '../support/kpl';
import { lease, LeaseBench } from '../support/leases';

const END = { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 };
const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });

/** Gives the batches it is told to. */
class ScriptedPublisher implements RecordsPublisher {
  readonly started: unknown[] = [];
  stopped = false;
  private readonly batches: RetrievedBatch[] = [];
  private wake: () => void = () => undefined;

  give(sequenceNumbers: readonly string[], members: Partial<RetrievedBatch> = {}): void {
    this.batches.push({
      records: sequenceNumbers.map((sequenceNumber) => ({
        sequenceNumber,
        partitionKey: 'k',
        data: new Uint8Array([1]),
        approximateArrivalTimestamp: 0,
      })),
      bytes: sequenceNumbers.length,
      millisBehindLatest: 0,
      serviceTime: 77,
      atTip: true,
      ...members,
    });
    this.wake();
  }

  start(position: unknown): void {
    this.started.push(position);
  }

  async next(signal: AbortSignal): Promise<RetrievedBatch | undefined> {
    while (!signal.aborted) {
      const batch = this.batches.shift();
      if (batch) return batch;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        signal.addEventListener('abort', () => resolve());
      });
    }
    return undefined;
  }

  release(): void {}

  stop(): void {
    this.stopped = true;
  }
}

class RecordingProcessor implements ShardRecordProcessor {
  readonly calls: string[] = [];
  readonly inputs: ProcessRecordsInput[] = [];
  initialization: InitializationInput | undefined;
  onRecords: (input: ProcessRecordsInput) => Promise<void> = async () => undefined;
  onInitialize: () => ReturnType<ShardRecordProcessor['initialize']> = async () => undefined;
  onShardEnded: (checkpointer: Checkpointer) => Promise<void> = (checkpointer) => checkpointer.checkpoint();
  onShutdown: (checkpointer: Checkpointer) => Promise<void> = (checkpointer) => checkpointer.checkpoint();

  async initialize(input: InitializationInput) {
    this.calls.push('initialize');
    this.initialization = input;
    return this.onInitialize();
  }

  async processRecords(input: ProcessRecordsInput): Promise<void> {
    this.calls.push(`records ${input.records.map((record) => record.sequenceNumber).join(',')}`);
    this.inputs.push(input);
    await this.onRecords(input);
  }

  async leaseLost(): Promise<void> {
    this.calls.push('leaseLost');
  }

  async shardEnded({ checkpointer }: { checkpointer: Checkpointer }): Promise<void> {
    this.calls.push('shardEnded');
    await this.onShardEnded(checkpointer);
  }

  async shutdownRequested({ checkpointer }: { checkpointer: Checkpointer }): Promise<void> {
    this.calls.push('shutdownRequested');
    await this.onShutdown(checkpointer);
  }
}

async function setup(row = lease('s', { leaseOwner: 'me' }), options: Partial<ShardConsumerOptions> = {}) {
  const bench = new LeaseBench();
  bench.put(row);
  await bench.hold(row.leaseKey);
  const publisher = new ScriptedPublisher();
  const processor = new RecordingProcessor();
  const { clock, random, log, metrics } = bench.host.dependencies;
  let missingParents = 0;
  const begin = (): ShardConsumer =>
    new ShardConsumer({
      held: bench.renewer.held(row.leaseKey)!,
      holder: bench.renewer as LeaseHolder,
      refresher: bench.refresher,
      processor,
      publisher,
      clock,
      random,
      log,
      metrics,
      initialPosition: { type: 'TRIM_HORIZON' },
      callProcessRecordsEvenForEmptyRecordList: false,
      parentShardPollInterval: 10_000,
      taskBackoff: 500,
      onMissingParent: () => void missingParents++,
      ...options,
    });
  return { bench, publisher, processor, begin, missingParents: () => missingParents };
}

const children = [
  { shardId: 'c1', parentShards: ['s'], hashKeyRange: { startingHashKey: '0', endingHashKey: '9' } },
  { shardId: 'c2', parentShards: ['s'], hashKeyRange: { startingHashKey: '10', endingHashKey: '20' } },
];

describe('ShardConsumer (ShardConsumerTest)', () => {
  test('processRecords throws: the same batch again with backoff, the checkpoint never passes it (pain of KCL #10)', async () => {
    const { bench, publisher, processor, begin } = await setup();
    let failures = 4;
    const times: number[] = [];
    processor.onRecords = async ({ checkpointer }) => {
      times.push(bench.time.monotonic());
      if (failures-- > 0) throw new Error('sink is down');
      await checkpointer.checkpoint();
    };
    const consumer = begin();
    publisher.give(['101', '102']);
    publisher.give(['103']);
    await bench.time.run(1_000);
    expect(await bench.row('s')).toMatchObject({ checkpoint: at('100') });
    await bench.time.run(8_000);
    expect(processor.calls.slice(1)).toEqual([...Array(5).fill('records 101,102'), 'records 103']);
    const pauses = times.slice(1, 5).map((time, i) => time - times[i]!);
    expect(pauses.every((pause, i) => pause >= 250 * 2 ** i && pause <= 500 * 2 ** i)).toBe(true);
    consumer.shutdown('REQUESTED');
    await bench.wait(consumer.done);
  });

  test('shutdown while a batch fails: checkpoint() in shutdownRequested does not cover the batch', async () => {
    const { bench, publisher, processor, begin } = await setup();
    const consumer = begin();
    publisher.give(['101']);
    await bench.time.run(100);
    processor.onRecords = () => Promise.reject(new Error('sink is down'));
    publisher.give(['102', '103']);
    await bench.time.run(100);
    consumer.shutdown('REQUESTED');
    await bench.wait(consumer.done);
    expect(processor.calls.at(-1)).toBe('shutdownRequested');
    const row = (await bench.row('s'))!;
    expect(row.checkpoint).toEqual(at('101'));
    expect(row.leaseOwner).toBeUndefined();
  });

  test('SIGTERM: the row is unowned within a second of the last checkpoint (pain of KCL #845)', async () => {
    const { bench, publisher, processor, begin } = await setup();
    processor.onRecords = () => bench.time.sleep(3_000);
    const consumer = begin();
    publisher.give(['101']);
    await bench.time.run(100);
    consumer.shutdown('REQUESTED');
    const drained = bench.time.monotonic() + 2_900;
    await bench.wait(consumer.done);
    expect(bench.time.monotonic()).toBeLessThan(drained + 1_000);
    const row = (await bench.row('s'))!;
    expect(row.checkpoint).toEqual(at('101'));
    expect(row.leaseOwner).toBeUndefined();
    expect(publisher.stopped).toBe(true);
  });

  test('lease lost while processing: shutdown returns at once and reading ends, a late checkpoint is refused, leaseLost follows', async () => {
    const { bench, publisher, processor, begin } = await setup();
    let refused: unknown;
    processor.onRecords = async ({ checkpointer }) => {
      await bench.time.sleep(4_000);
      await checkpointer.checkpoint().catch((error: unknown) => (refused = error));
    };
    const consumer = begin();
    publisher.give(['101']);
    await bench.time.run(100);
    await bench.wait(bench.refresher.takeLease((await bench.row('s'))!, 'other'));
    await bench.wait(bench.renewer.renewLeases());
    consumer.shutdown('LEASE_LOST');
    // The reading ends at once: a subscription that went on would be taken away from the new owner again.
    expect(publisher.stopped).toBe(true);
    expect(processor.calls).toEqual(['initialize', 'records 101']);
    await bench.wait(consumer.done);
    expect(refused).toBeInstanceOf(ShutdownError);
    expect(processor.calls).toEqual(['initialize', 'records 101', 'leaseLost']);
    expect(await bench.row('s')).toMatchObject({ leaseOwner: 'other', checkpoint: at('100') });
  });

  test('a lease that ran out unnoticed: nothing more is delivered', async () => {
    const { bench, publisher, processor, begin } = await setup();
    const consumer = begin();
    await bench.time.run(10_001);
    expect(processor.initialization!.fence.remaining()).toBe(0);
    publisher.give(['101']);
    await bench.wait(consumer.done);
    expect(processor.calls).toEqual(['initialize', 'leaseLost']);
    expect(consumer.shutdownReason).toBe('LEASE_LOST');
  });

  test('an aggregated record and a checkpoint at X.1: only X.2 is delivered, and X.2 is the largest permitted (ProcessTaskTest)', async () => {
    const row = lease('s', { leaseOwner: 'me', checkpoint: { sequenceNumber: '7', subSequenceNumber: 1 } });
    const { bench, publisher, processor, begin } = await setup(row);
    const refused: unknown[] = [];
    processor.onRecords = async ({ checkpointer }) => {
      await checkpointer
        .checkpoint({ sequenceNumber: '7', subSequenceNumber: 3 })
        .catch((e: unknown) => refused.push(e));
      await checkpointer.checkpoint();
    };
    begin();
    const data = aggregate(['a', 'b', 'c'].map((key) => ({ partitionKey: key, data: Buffer.from(key) })));
    const record = { sequenceNumber: '7', partitionKey: 'k', data, approximateArrivalTimestamp: 0 };
    publisher.give([], { records: [record] });
    await bench.time.run(1_000);
    expect(processor.inputs.map(({ records }) => records.map((user) => user.subSequenceNumber))).toEqual([[2]]);
    expect(refused).toEqual([expect.any(InvalidArgumentError)]);
    expect((await bench.row('s'))!.checkpoint).toEqual({ sequenceNumber: '7', subSequenceNumber: 2 });
  });

  test('initialize gets shard, checkpoint, pending checkpoint, blob and fence; and may choose the start', async () => {
    const row = lease('s', { leaseOwner: 'me', leaseCounter: 8 });
    const { bench, publisher, processor, begin } = await setup(row);
    Object.assign(bench.table.rows.get('s')!, {
      pendingCheckpoint: { S: '105' },
      pendingCheckpointSubSequenceNumber: { N: '1' },
      pendingCheckpointState: { B: new Uint8Array([9]) },
    });
    bench.renewer.hold((await bench.row('s'))!, bench.time.monotonic());
    processor.onInitialize = async () => ({ type: 'AFTER', position: at('103') });
    const consumer = begin();
    publisher.give(['102', '103', '104']);
    await bench.time.run(100);
    expect(processor.initialization).toMatchObject({
      shard: { shardId: 's', parentShardIds: [], startingHashKey: '0' },
      checkpoint: at('100'),
      pendingCheckpoint: { sequenceNumber: '105', subSequenceNumber: 1 },
      pendingCheckpointState: new Uint8Array([9]),
      fence: { leaseCounter: 9 },
    });
    expect(processor.initialization!.fence.remaining()).toBeGreaterThan(9_000);
    expect(publisher.started).toEqual([{ type: 'AFTER', position: at('103') }]);
    expect(processor.calls).toEqual(['initialize', 'records 104']);
    expect(processor.inputs[0]).toMatchObject({ atTip: true, serviceTime: 77, millisBehindLatest: 0 });
    consumer.shutdown('REQUESTED');
    await bench.wait(consumer.done);
  });

  test('with a failure policy a failing batch is split down to the record, which is handed over; its neighbours are processed', async () => {
    const poisoned: string[] = [];
    let refusals = 2;
    const { bench, publisher, processor, begin } = await setup(undefined, {
      failurePolicy: {
        maxAttempts: 2,
        onPoison: async ({ record, shardId, error }) => {
          if (refusals-- > 0) throw new Error('queue is down');
          poisoned.push(`${shardId} ${record.sequenceNumber} ${(error as Error).message}`);
        },
      },
    });
    const processed: string[] = [];
    processor.onRecords = async ({ records, checkpointer }) => {
      if (records.some((record) => record.sequenceNumber === '104')) throw new Error('bad');
      processed.push(...records.map((record) => record.sequenceNumber));
      await checkpointer.checkpoint();
    };
    begin();
    publisher.give(['101', '102', '103', '104', '105', '106']);
    await bench.time.run(9_000);
    expect(processed).toEqual(['101', '102', '103', '105', '106']);
    expect(poisoned).toEqual(['s 104 bad']);
    expect(await bench.row('s')).toMatchObject({ checkpoint: at('106') });
    // Only the last part of a split batch says that the tip was reached.
    const tips = processor.inputs.filter((input) => input.atTip).map((input) => input.records.at(-1)!.sequenceNumber);
    expect(new Set(tips)).toEqual(new Set(['106']));
  });

  test('initialize that throws is called again', async () => {
    const { bench, publisher, processor, begin } = await setup();
    let failures = 2;
    processor.onInitialize = async () => {
      if (failures-- > 0) throw new Error('not yet');
    };
    begin();
    await bench.time.run(3_000);
    expect(processor.calls).toEqual(['initialize', 'initialize', 'initialize']);
    expect(publisher.started).toEqual([{ type: 'AFTER', position: at('100') }]);
  });

  test('empty reads are delivered when asked for', async () => {
    for (const callProcessRecordsEvenForEmptyRecordList of [true, false]) {
      const { bench, publisher, processor, begin } = await setup(undefined, {
        callProcessRecordsEvenForEmptyRecordList,
      });
      begin();
      publisher.give([]);
      publisher.give(['100']);
      await bench.time.run(100);
      expect(processor.inputs).toHaveLength(callProcessRecordsEvenForEmptyRecordList ? 2 : 0);
    }
  });

  test('LATEST, which only other programs write, begins at the present time; AT_TIMESTAMP at the configured one', async () => {
    const latest = await setup(lease('s', { leaseOwner: 'me', checkpoint: at('LATEST') }));
    latest.begin();
    await latest.bench.time.run(100);
    expect(latest.publisher.started).toMatchObject([{ type: 'AT_TIMESTAMP' }]);
    const initialPosition = { type: 'AT_TIMESTAMP', timestamp: 5 } as const;
    const row = lease('s', { leaseOwner: 'me', checkpoint: at('AT_TIMESTAMP') });
    const timestamp = await setup(row, { initialPosition });
    timestamp.begin();
    await timestamp.bench.time.run(100);
    expect(timestamp.publisher.started).toEqual([initialPosition]);
  });
});

describe('the end of a shard (ShutdownTaskTest)', () => {
  test('children’s rows, childShardIds, shardEnded, SHARD_END: in this order', async () => {
    const { bench, publisher, processor, begin } = await setup();
    const writes: string[] = [];
    bench.table.onWrite = ({ key, operation, after }) => {
      writes.push(`${operation} ${key} ${after!['checkpoint']!.S} ${after!['childShardIds']?.SS?.join() ?? ''}`.trim());
    };
    const consumer = begin();
    publisher.give(['101'], { childShards: children });
    await bench.wait(consumer.done);
    expect(processor.calls).toEqual(['initialize', 'records 101', 'shardEnded']);
    expect(writes).toEqual([
      'put c1 TRIM_HORIZON',
      'put c2 TRIM_HORIZON',
      'update s 100 c1,c2',
      'update s SHARD_END c1,c2',
    ]);
    expect(await bench.row('c1')).toMatchObject({ parentShardIds: ['s'], hashKeyRange: children[0]!.hashKeyRange });
    // Held and renewed until it is cleaned up.
    expect(bench.held()).toEqual(['s']);
  });

  test('shardEnded without a checkpoint: an error, called again, not SHARD_END', async () => {
    const { bench, publisher, processor, begin } = await setup();
    let forgetful = 2;
    processor.onShardEnded = async (checkpointer) => {
      if (forgetful-- <= 0) await checkpointer.checkpoint();
    };
    const consumer = begin();
    publisher.give([], { childShards: children });
    await bench.time.run(400);
    expect(await bench.row('s')).toMatchObject({ checkpoint: at('100') });
    await bench.wait(consumer.done);
    expect(processor.calls.filter((call) => call === 'shardEnded')).toHaveLength(3);
    expect(await bench.row('s')).toMatchObject({ checkpoint: END });
  });

  test('the shard ended but the lease is no longer held: leaseLost, not shardEnded', async () => {
    const { bench, publisher, processor, begin } = await setup();
    const consumer = begin();
    await bench.time.run(100);
    processor.onRecords = () => bench.time.sleep(11_000);
    publisher.give(['101'], { childShards: children });
    await bench.wait(consumer.done);
    expect(processor.calls.at(-1)).toBe('leaseLost');
    expect(await bench.row('c1')).toBeUndefined();
  });

  test('a shutdown request does not break off the end of a shard', async () => {
    const { bench, publisher, processor, begin } = await setup();
    processor.onShardEnded = async (checkpointer) => {
      await bench.time.sleep(1_000);
      await checkpointer.checkpoint();
    };
    const consumer = begin();
    publisher.give([], { childShards: children });
    await bench.time.run(500);
    consumer.shutdown('REQUESTED');
    await bench.wait(consumer.done);
    expect(processor.calls).toEqual(['initialize', 'shardEnded']);
    expect(await bench.row('s')).toMatchObject({ checkpoint: END });
  });

  test('a merged child is not made before the row of its other parent is there', async () => {
    const { bench, publisher, begin, missingParents } = await setup(undefined, { random: () => 0.9 });
    const merged = [{ ...children[0]!, shardId: 'm', parentShards: ['s', 'p2'] }];
    const consumer = begin();
    publisher.give([], { childShards: merged });
    await bench.time.run(2_000);
    expect(missingParents()).toBeGreaterThan(0);
    expect(await bench.row('m')).toBeUndefined();
    bench.put(lease('p2'));
    await bench.wait(consumer.done);
    expect(await bench.row('m')).toMatchObject({ parentShardIds: ['s', 'p2'] });
    expect(await bench.row('s')).toMatchObject({ checkpoint: END });
  });

  test('now and then the lease is given up instead', async () => {
    const { bench, publisher, processor, begin } = await setup(undefined, { random: () => 0.01 });
    const consumer = begin();
    publisher.give([], { childShards: [{ ...children[0]!, parentShards: ['s', 'p2'] }] });
    await bench.wait(consumer.done);
    expect(processor.calls.at(-1)).toBe('leaseLost');
    expect((await bench.row('s'))!.leaseOwner).toBeUndefined();
  });

  test('a child that has its row already is left as it is', async () => {
    const bench = new LeaseBench();
    bench.put(lease('s'), lease('c1', { checkpoint: at('700') }));
    expect(await bench.wait(createChildLeases(bench.refresher, 's', children, () => undefined))).toBe(true);
    expect(await bench.row('c1')).toMatchObject({ checkpoint: at('700') });
  });

  test('the lease is lost on the way: no child’s row is made, which others may be done with by now', async () => {
    const { bench, publisher, processor, begin } = await setup();
    const consumer = begin();
    await bench.time.run(100);
    bench.host.faults = { lost: 0, throttled: 0, latency: 2_000 };
    publisher.give([], { childShards: children });
    await bench.time.run(100);
    bench.host.pause(20_000);
    await bench.wait(consumer.done);
    expect(await bench.row('c1')).toBeUndefined();
    expect(processor.calls).toEqual(['initialize', 'leaseLost']);
  });
});

describe('parentsAreFinished (BlockOnParentShardTaskTest)', () => {
  test('one of two parents at SHARD_END: blocked; both, or the other’s row gone: not', async () => {
    const bench = new LeaseBench();
    const child = lease('c', { parentShardIds: ['p1', 'p2'] });
    bench.put(lease('p1', { checkpoint: END }), lease('p2'));
    expect(await bench.wait(parentsAreFinished(bench.refresher, child))).toBe(false);
    bench.put(lease('p2', { checkpoint: END }));
    expect(await bench.wait(parentsAreFinished(bench.refresher, child))).toBe(true);
    bench.put(lease('p1'));
    expect(await bench.wait(parentsAreFinished(bench.refresher, child))).toBe(false);
    bench.table.rows.delete('p1');
    expect(await bench.wait(parentsAreFinished(bench.refresher, child))).toBe(true);
  });

  test('a waiting child begins when its parent ends', async () => {
    const row = lease('c', { leaseOwner: 'me', parentShardIds: ['p1'] });
    const { bench, processor, begin } = await setup(row, { parentShardPollInterval: 3_000 });
    bench.put(lease('p1'));
    const consumer = begin();
    await bench.time.run(4_000);
    expect(consumer.state).toBe('WAITING_ON_PARENT_SHARDS');
    bench.put(lease('p1', { checkpoint: END }));
    consumer.checkParents();
    await bench.time.run(100);
    expect(consumer.state).toBe('PROCESSING');
    expect(processor.calls).toEqual(['initialize']);
  });
});
