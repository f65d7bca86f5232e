/**
 * Sinks as they are commonly built, on the same Kinesis client library, stream, lease table and bucket: what the lake's
 * protocol is compared with. Each puts a buffer of records into one object and then checkpoints.
 */
import type { PutObjectCommandInput } from '@aws-sdk/client-s3';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { dynamoFromSdk } from '../../consumer/kcl/adapters/dynamodb-sdk';
import { noMetrics } from '../../consumer/kcl/adapters/system';
import {
  compareExtended,
  compareSequenceNumbers,
  isSentinel,
  type ExtendedSequenceNumber,
} from '../../consumer/kcl/common/extended-sequence-number';
import type { Clock } from '../../consumer/kcl/dependencies';
import type {
  Checkpointer,
  InitializationInput,
  KinesisClientRecord,
  ProcessRecordsInput,
  ShardRecordProcessor,
} from '../../consumer/kcl/processor';
import { Scheduler } from '../../consumer/kcl/scheduler';
import type { Totals } from '../oracle';
import type { SimulatedProcess } from '../process';
import type { Elements } from '../publisher';
import type { Random } from '../random';
import type { Bucket } from '../services/bucket';
import { LEASES, type Database } from '../services/database';
import { STREAM, type Stream } from '../services/stream';

export interface RivalServices {
  readonly stream: Stream<Elements>;
  readonly database: Database;
  readonly bucket: Bucket;
}

/** A way to name the object of a buffer, and to put it. */
export interface Rival {
  readonly name: string;
  readonly description: string;
  /** @param id Unique; the same when the same worker tries the same buffer again. */
  readonly key: (shardId: string, first: string, id: string) => string;
  /** PUT with `If-None-Match: *`, and 412 counts as done. */
  readonly createOnly: boolean;
}

export const rivals: readonly Rival[] = [
  {
    name: 'unique name',
    description: 'PUT under a name that is used once, then checkpoint',
    key: (shardId, _first, id) => `readings/${shardId}/${id}`,
    createOnly: false,
  },
  {
    name: 'start-offset name',
    description: "PUT under the buffer's first sequence number, over what is there, then checkpoint",
    key: (shardId, first) => `readings/${shardId}/${first}`,
    createOnly: false,
  },
  {
    name: 'start-offset name, create-only',
    description: 'the same with If-None-Match, and what is there already counts as done',
    key: (shardId, first) => `readings/${shardId}/${first}`,
    createOnly: true,
  },
];

interface SinkSettings {
  readonly clock: Clock;
  readonly uuid: () => string;
  readonly s3: S3Client;
  readonly flushBytes: number;
  readonly flushInterval: number;
}

const nameOf = ({ sequenceNumber, subSequenceNumber }: ExtendedSequenceNumber): string =>
  `${sequenceNumber}.${subSequenceNumber}`;

class SinkProcessor implements ShardRecordProcessor {
  private shardId = '';
  private buffer: KinesisClientRecord[] = [];
  private bytes = 0;
  private since = 0;
  /** The last record that was buffered: a batch that failed is delivered again. */
  private last: ExtendedSequenceNumber | undefined;
  /** Name of the buffer's object, once it was tried: a retry puts the same bytes under the same name. */
  private id: string | undefined;
  /** A checkpoint that is still to be written. */
  private owed: ExtendedSequenceNumber | undefined;

  constructor(
    private readonly rival: Rival,
    private readonly settings: SinkSettings,
  ) {}

  async initialize({ shard }: InitializationInput): Promise<void> {
    this.shardId = shard.shardId;
  }

  async processRecords({ records, checkpointer }: ProcessRecordsInput): Promise<void> {
    if (this.id !== undefined) await this.flush();
    for (const record of records) {
      if (this.last !== undefined && compareExtended(record, this.last) <= 0) continue;
      if (this.buffer.length === 0) this.since = this.settings.clock.monotonic();
      this.buffer.push(record);
      this.bytes += record.data.length;
      this.last = record;
      if (this.isDue) await this.flush();
    }
    if (this.isDue) await this.flush();
    await this.checkpoint(checkpointer);
  }

  private get isDue(): boolean {
    const { clock, flushBytes, flushInterval } = this.settings;
    if (this.buffer.length === 0) return false;
    return this.bytes >= flushBytes || clock.monotonic() - this.since >= flushInterval;
  }

  private async flush(): Promise<void> {
    if (this.buffer.length === 0) return;
    const { sequenceNumber, subSequenceNumber } = this.buffer.at(-1)!;
    this.id ??= this.settings.uuid();
    await this.put(this.rival.key(this.shardId, nameOf(this.buffer[0]!), this.id));
    this.buffer = [];
    this.bytes = 0;
    this.id = undefined;
    this.owed = { sequenceNumber, subSequenceNumber };
  }

  private async checkpoint(checkpointer: Checkpointer): Promise<void> {
    if (this.owed === undefined) return;
    await checkpointer.checkpoint(this.owed);
    this.owed = undefined;
  }

  private async put(Key: string): Promise<void> {
    const rows = this.buffer.map((record) => `${this.shardId}/${nameOf(record)}\n`);
    const input: PutObjectCommandInput = { Bucket: 'lake', Key, Body: Buffer.from(rows.join('')) };
    if (this.rival.createOnly) input.IfNoneMatch = '*';
    try {
      await this.settings.s3.send(new PutObjectCommand(input));
    } catch (error) {
      if ((error as Error).name !== 'PreconditionFailed') throw error;
    }
  }

  async leaseLost(): Promise<void> {
    this.buffer = [];
  }

  async shardEnded({ checkpointer }: { readonly checkpointer: Checkpointer }): Promise<void> {
    await this.flush();
    await checkpointer.checkpoint();
  }

  async shutdownRequested({ checkpointer }: { readonly checkpointer: Checkpointer }): Promise<void> {
    await this.flush();
    await this.checkpoint(checkpointer);
  }
}

export interface Application {
  run(): Promise<void>;
  stop(): void;
}

export interface RivalSettings {
  readonly failoverTime: number;
  readonly flushBytes: number;
  readonly flushInterval: number;
}

/** One worker of the rival. */
export function rivalApplication(
  rival: Rival,
  { stream, database, bucket }: RivalServices,
  process: SimulatedProcess,
  random: Random,
  { failoverTime, ...flush }: RivalSettings,
): Application {
  const { clock } = process;
  let uuids = 0;
  const uuid = (): string => `${process.name.replaceAll('-', '')}n${uuids++}`;
  const settings = { ...flush, clock, uuid, s3: bucket.client(process) };
  const stopping = new AbortController();
  const scheduler = new Scheduler({
    config: {
      applicationName: LEASES,
      streamName: STREAM,
      workerId: process.name,
      failoverTimeMillis: failoverTime,
      initialPosition: { type: 'TRIM_HORIZON' },
      callProcessRecordsEvenForEmptyRecordList: true,
      idleTimeBetweenReadsMillis: Math.round(flush.flushInterval / 4),
      gracefulShutdownTimeoutMillis: 100_000,
    },
    processorFactory: () => new SinkProcessor(rival, settings),
    dependencies: {
      kinesis: stream.api(process),
      dynamodb: dynamoFromSdk(database.client(process)),
      clock,
      random: random.unit,
      uuid,
      log: () => undefined,
      metrics: noMetrics,
    },
  });
  return { run: () => scheduler.run(stopping.signal), stop: () => stopping.abort() };
}

/** What is still to be read, by the checkpoints. */
export function rivalUnrest({ stream, database }: RivalServices): string[] {
  const leases = new Map(database.rows(LEASES).map((row) => [String(row['leaseKey']), row]));
  const waiting: string[] = [];
  for (const { shardId, records, closed } of stream.shards.values()) {
    const checkpoint = leases.get(shardId)?.['checkpoint'] as string | undefined;
    // A finished shard's lease is deleted after a while; before its parents have ended there is none either.
    if (checkpoint === undefined) {
      if (!closed) waiting.push(`${shardId} has no lease`);
      continue;
    }
    if (checkpoint === 'SHARD_END') continue;
    if (closed) waiting.push(`${shardId} is closed and not finished`);
    const last = records.filter(({ arrival }) => !stream.isTrimmed(arrival)).at(-1)?.sequenceNumber;
    if (last === undefined) continue;
    if (isSentinel(checkpoint) || compareSequenceNumbers(checkpoint, last) < 0) waiting.push(`${shardId} is not read`);
  }
  return waiting;
}

/** Counts as {@link import('../oracle').judge} does for the lake. */
export function judgeRival({ stream, bucket }: RivalServices): Totals {
  const totals = { elements: 0, trimmed: 0, lost: 0, duplicated: 0, partitions: 0, generations: 0, features: 0 };
  const copies = new Map<string, number>();
  for (const key of bucket.keys('readings/')) {
    const rows = Buffer.from(bucket.objects.get(key)!.body).toString('utf8').trimEnd().split('\n');
    for (const row of rows) copies.set(row, (copies.get(row) ?? 0) + 1);
  }
  for (const { shardId, records } of stream.shards.values()) {
    for (const { sequenceNumber, arrival, content } of records) {
      for (const { sub } of content) {
        const times = copies.get(`${shardId}/${nameOf({ sequenceNumber, subSequenceNumber: sub })}`) ?? 0;
        totals.elements++;
        if (times > 1) totals.duplicated++;
        else if (times === 0 && stream.isTrimmed(arrival)) totals.trimmed++;
        else if (times === 0) totals.lost++;
      }
    }
  }
  return totals;
}
