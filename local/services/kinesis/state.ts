/** What every operation of the engine works on: the streams, the clock, the limits, and writes on their way to disk. */
import { AwsError } from '../../gateway/service';
import type { Clock } from '../../gateway/service';
import { invalidArgument, optionalString } from './input';
import type { Input } from './input';
import { StreamStorage } from './storage';
import type { RecordRow } from './storage';
import type { Shard, Stream } from './stream';

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';
export const STREAM_NAME = { min: 1, max: 128, pattern: /^[a-zA-Z0-9_.-]+$/ };
/** Open shards of the account. @see https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
export const SHARD_QUOTA = 20_000;
const SWEEP_INTERVAL_MS = 60_000;

/**
 * - `enforced`: as on AWS.
 * - `reads-only`: no limit on writes. The local run publishes a day's backlog in seconds, which takes more shards than
 *   a laptop needs; what the consumer must live with, five reads and 2 MiB per second and shard, holds.
 * - `off`: neither.
 */
export type Limits = 'enforced' | 'reads-only' | 'off';

export class KinesisState {
  readonly streams = new Map<string, Stream>();
  readonly storage: StreamStorage;
  private writes: Promise<void>[] = [];
  private changed = new Set<Stream>();
  private sweptAt: number;

  constructor(
    readonly clock: Clock,
    readonly limits: Limits,
    /** How long a stream stays CREATING or UPDATING, milliseconds. */
    readonly statusDelayMs: number,
    directory: string | undefined,
  ) {
    this.storage = new StreamStorage(directory);
    this.sweptAt = clock.now();
    for (const stream of this.storage.load(clock.now())) this.streams.set(stream.settings.name, stream);
  }

  save(stream: Stream): void {
    this.changed.add(stream);
    this.writes.push(this.storage.saveStream(stream));
  }

  saveRecords(stream: Stream, rows: readonly RecordRow[]): void {
    this.changed.add(stream);
    this.writes.push(this.storage.saveRecords(stream, rows));
  }

  /** What was changed since the last call, and the writes for which the response waits. */
  takeChanged(): { readonly streams: ReadonlySet<Stream>; readonly writes: readonly Promise<void>[] } {
    const changed = { streams: this.changed, writes: this.writes };
    this.changed = new Set();
    this.writes = [];
    return changed;
  }

  /** The stream that StreamName or StreamARN names. @throws AwsError ResourceNotFoundException, InvalidArgumentException */
  find(input: Input): Stream {
    return this.byName(streamNameOf(input));
  }

  byName(name: string): Stream {
    const stream = this.streams.get(name);
    if (stream === undefined) {
      throw new AwsError('ResourceNotFoundException', `Stream ${name} under account ${ACCOUNT} not found.`);
    }
    return stream;
  }

  /** @throws AwsError ResourceNotFoundException for a shard that never was or whose records have all expired. */
  shard(stream: Stream, id: string): Shard {
    const shard = stream.find(id);
    if (shard === undefined || (shard.closedAt !== undefined && shard.closedAt <= stream.horizon(this.clock.now()))) {
      throw new AwsError(
        'ResourceNotFoundException',
        `Could not find shard ${id} in stream ${stream.settings.name} under account ${ACCOUNT}.`,
      );
    }
    return shard;
  }

  status(stream: Stream): 'CREATING' | 'UPDATING' | 'ACTIVE' {
    const { readyAt, createdAt } = stream.settings;
    if (this.clock.now() >= readyAt) return 'ACTIVE';
    return readyAt === createdAt + this.statusDelayMs ? 'CREATING' : 'UPDATING';
  }

  /** @throws AwsError ResourceInUseException while the stream is CREATING or UPDATING. */
  requireActive(stream: Stream): void {
    const status = this.status(stream);
    if (status !== 'ACTIVE') {
      throw new AwsError(
        'ResourceInUseException',
        `Stream ${stream.settings.name} under account ${ACCOUNT} not ACTIVE, instead in state ${status}`,
      );
    }
  }

  /** @throws AwsError LimitExceededException where `more` open shards would exceed the account's quota. */
  requireQuota(more: number): void {
    let open = 0;
    for (const stream of this.streams.values()) open += stream.openShards.length;
    if (open + more > SHARD_QUOTA) {
      throw new AwsError(
        'LimitExceededException',
        `This request would exceed the shard limit for the account ${ACCOUNT} in ${REGION}. Current shard count for the ` +
          `account: ${open}. Limit: ${SHARD_QUOTA}. Number of additional shards that would have resulted from this request: ${more}.`,
      );
    }
  }

  /** The stream is UPDATING for the status delay from now on, and its new state is durable before the response. */
  updated(stream: Stream): void {
    stream.settings.readyAt = this.clock.now() + this.statusDelayMs;
    this.save(stream);
  }

  /** Once a minute: expired records leave memory, and the disk where most of a file is expired. */
  sweep(): void {
    const now = this.clock.now();
    if (now - this.sweptAt < SWEEP_INTERVAL_MS) return;
    this.sweptAt = now;
    for (const stream of this.streams.values()) {
      if (stream.trim(now) > 0) this.storage.compact(stream);
    }
  }
}

/** @throws AwsError ValidationException, InvalidArgumentException */
export function streamNameOf(input: Input): string {
  const name = optionalString(input, 'StreamName', STREAM_NAME);
  const arn = optionalString(input, 'StreamARN');
  if (arn === undefined) {
    if (name === undefined) throw invalidArgument('Either StreamName or StreamARN must be provided.');
    return name;
  }
  const named = /^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream\/([a-zA-Z0-9_.-]+)$/.exec(arn)?.[1];
  if (named === undefined) throw invalidArgument(`StreamARN ${arn} is not the ARN of a stream.`);
  if (name !== undefined && name !== named) throw invalidArgument('StreamName and StreamARN name different streams.');
  return named;
}

/** Wire timestamps: epoch seconds with milliseconds. */
export function seconds(milliseconds: number): number {
  return milliseconds / 1_000;
}

export type Operation = (state: KinesisState, input: Input) => unknown;
export type Operations = Readonly<Record<string, Operation>>;
