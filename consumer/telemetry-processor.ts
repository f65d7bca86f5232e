/** The record processor of this application: records of one shard into the lake's append log. */
import type {
  Checkpointer,
  InitializationInput,
  KinesisClientRecord,
  ProcessRecordsInput,
  ShardInfo,
  ShardRecordProcessor,
  StartingPosition,
} from './kcl/processor';
import { Sentinel } from './kcl/common/extended-sequence-number';
import { RecordDecoder } from './readings/decode';
import type { ReadingSchema } from './readings/schema';
import type { EventTimeLimits } from './readings/validate';
import type { Head } from './lake/append/head';
import type { ShardLogDependencies } from './lake/append/dependencies';
import { ShardLog } from './lake/append/shard-log';
import { firstArrival, GapWatch } from './lake/append/stream-gap';
import { parsePosition } from './lake/position';

export interface TelemetryProcessorOptions extends ShardLogDependencies {
  readonly schemas: ReadonlyMap<string, ReadingSchema>;
  readonly limits: EventTimeLimits;
  /** Where a shard without parents begins: epoch milliseconds, or the oldest record. */
  readonly initialPosition: number | typeof Sentinel.TRIM_HORIZON;
  /** The stream's retention, milliseconds; undefined where it is not known: then no gap is looked for. */
  readonly retention: () => number | undefined;
}

/** The sentinel text `AT_TIMESTAMP:<epoch ms>` keeps the time, so that every worker opens the same place. */
const AT_TIMESTAMP_PREFIX = 'AT_TIMESTAMP:';

function newHead(shard: ShardInfo, initialPosition: TelemetryProcessorOptions['initialPosition'], since: number): Head {
  const fromOldest = initialPosition === Sentinel.TRIM_HORIZON || shard.parentShardIds.length > 0;
  return {
    shardId: shard.shardId,
    end: fromOldest ? Sentinel.TRIM_HORIZON : `${AT_TIMESTAMP_PREFIX}${initialPosition}`,
    partial: false,
    progress: 0,
    since,
    startingHashKey: shard.startingHashKey,
    endingHashKey: shard.endingHashKey,
    finished: false,
  };
}

/** Where reading goes on after a head. A record that was cut inside is read again. */
export function startAfter({ end, partial }: Pick<Head, 'end' | 'partial'>): StartingPosition {
  const position = parsePosition(end);
  if (position !== undefined) {
    const { sequence: sequenceNumber, sub } = position;
    return { type: 'AFTER', position: { sequenceNumber, subSequenceNumber: partial ? sub - 1 : sub } };
  }
  if (end.startsWith(AT_TIMESTAMP_PREFIX)) {
    return { type: 'AT_TIMESTAMP', timestamp: Number(end.slice(AT_TIMESTAMP_PREFIX.length)) };
  }
  return { type: 'TRIM_HORIZON' };
}

export class TelemetryProcessor implements ShardRecordProcessor {
  private log: ShardLog | undefined;
  private gaps: GapWatch | undefined;
  private checkpointed: string | undefined;

  constructor(private readonly options: TelemetryProcessorOptions) {}

  async initialize({ shard }: InitializationInput): Promise<StartingPosition> {
    const { schemas, limits, initialPosition, registry, clock, retention } = this.options;
    const decoder = new RecordDecoder(schemas, limits, shard.shardId);
    const create = async (): Promise<Head> =>
      newHead(shard, initialPosition, await firstArrival(registry, shard, clock.now()));
    this.log = await ShardLog.open(shard.shardId, create, decoder, this.options);
    this.gaps = new GapWatch(this.log.committed, retention, clock);
    return startAfter(this.log.committed);
  }

  async processRecords(input: ProcessRecordsInput): Promise<void> {
    const { log } = this;
    if (this.gaps!.onRead(input)) log!.markGap();
    for (const record of input.records) await this.append(record);
    const tip = input.atTip ? input.serviceTime : undefined;
    if (log!.flushIsDue) await log!.flush(tip);
    if (input.records.length === 0 && tip !== undefined) await log!.idle(tip);
    await this.checkpoint(input.checkpointer);
  }

  private async append(record: KinesisClientRecord): Promise<void> {
    while (!this.log!.append(record)) await this.log!.flush();
    if (this.log!.flushIsDue) await this.log!.flush();
  }

  /** The lease's checkpoint follows the head and may lag: it says where the next owner's reading would be cheapest. */
  private async checkpoint(checkpointer: Checkpointer): Promise<void> {
    const { end, partial } = this.log!.committed;
    const position = parsePosition(end);
    if (position === undefined || partial || end === this.checkpointed) return;
    try {
      await checkpointer.checkpoint({ sequenceNumber: position.sequence, subSequenceNumber: position.sub });
      this.checkpointed = end;
    } catch (error) {
      // The head is what counts. A lost lease is told by leaseLost; anything else is tried again after the next batch.
      this.options.log('warn', 'checkpoint not written', {
        shardId: this.log!.committed.shardId,
        error: (error as Error).name,
      });
    }
  }

  async leaseLost(): Promise<void> {
    this.log?.discard();
  }

  async shardEnded({ checkpointer }: { readonly checkpointer: Checkpointer }): Promise<void> {
    await this.log!.finish();
    await checkpointer.checkpoint();
  }

  async shutdownRequested({ checkpointer }: { readonly checkpointer: Checkpointer }): Promise<void> {
    if (this.log === undefined) return;
    await this.log.flush();
    await this.checkpoint(checkpointer);
    this.log.discard();
  }
}
