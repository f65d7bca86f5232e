/** Shards: listing with its filters, splitting, merging, scaling. */
import { AwsError } from '../../gateway/service';
import {
  invalidArgument,
  optionalInteger,
  optionalString,
  optionalTimestamp,
  requiredInteger,
  requiredString,
  structure,
} from './input';
import type { Input } from './input';
import { ACCOUNT } from './state';
import type { KinesisState, Operation, Operations } from './state';
import { shardId } from './stream';
import type { Shard, Stream } from './stream';
import { decodePage, encodePage } from './tokens';

const DAY_MS = 86_400_000;
/** @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html */
const SCALINGS_PER_DAY = 10;

export function describeHashKeyRange(shard: Shard): Record<string, string> {
  return { StartingHashKey: String(shard.start), EndingHashKey: String(shard.end) };
}

export function describeShard(stream: Stream, shard: Shard): Record<string, unknown> {
  return {
    ShardId: shard.id,
    ...(shard.parent !== undefined && { ParentShardId: shardId(shard.parent) }),
    ...(shard.adjacentParent !== undefined && { AdjacentParentShardId: shardId(shard.adjacentParent) }),
    HashKeyRange: describeHashKeyRange(shard),
    SequenceNumberRange: {
      StartingSequenceNumber: stream.sequenceNumber(shard, shard.startCounter),
      ...(shard.endCounter !== undefined && { EndingSequenceNumber: stream.sequenceNumber(shard, shard.endCounter) }),
    },
  };
}

/** `ChildShards` of GetRecords and SubscribeToShard at the end of a shard. */
export function describeChildren(stream: Stream, shard: Shard): Record<string, unknown>[] {
  return shard.children
    .map((index) => stream.shards.get(index))
    .filter((child) => child !== undefined)
    .map((child) => ({
      ShardId: child.id,
      ParentShards: [child.parent, child.adjacentParent].filter((index) => index !== undefined).map(shardId),
      HashKeyRange: describeHashKeyRange(child),
    }));
}

const FILTER_TYPES = [
  'AFTER_SHARD_ID',
  'AT_TRIM_HORIZON',
  'FROM_TRIM_HORIZON',
  'AT_LATEST',
  'AT_TIMESTAMP',
  'FROM_TIMESTAMP',
];

interface ShardFilter {
  readonly type: string;
  readonly shardId?: string;
  /** Epoch milliseconds. */
  readonly timestamp?: number;
}

/** @throws AwsError InvalidArgumentException where the type lacks what it needs. */
function readFilter(value: unknown, now: number): ShardFilter | undefined {
  if (value === undefined) return undefined;
  const input = structure(value, 'ShardFilter');
  const filter: ShardFilter = {
    type: requiredString(input, 'Type', { values: FILTER_TYPES }),
    shardId: optionalString(input, 'ShardId'),
    timestamp: optionalTimestamp(input, 'Timestamp'),
  };
  if (filter.type === 'AFTER_SHARD_ID' && filter.shardId === undefined) {
    throw invalidArgument('ShardFilter of type AFTER_SHARD_ID needs a ShardId.');
  }
  if (filter.type.endsWith('_TIMESTAMP')) {
    if (filter.timestamp === undefined) throw invalidArgument(`ShardFilter of type ${filter.type} needs a Timestamp.`);
    if (filter.timestamp > now)
      throw invalidArgument(`The Timestamp of ShardFilter is in the future: ${filter.timestamp} > ${now}.`);
  }
  return filter;
}

/**
 * Those of `live` that the filter lets through. "At" a time are the shards that were open then: they cover the key
 * space exactly. "From" a time adds every later one. A time before the trim horizon or the stream's creation is moved up to it.
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html
 */
export function filterShards(
  live: readonly Shard[],
  filter: ShardFilter | undefined,
  horizon: number,
  created: number,
): Shard[] {
  const openAt = (shard: Shard, time: number) =>
    shard.createdAt <= time && (shard.closedAt === undefined || shard.closedAt > time);
  const earliest = Math.max(horizon, created);
  const time = Math.max(filter?.timestamp ?? 0, earliest);
  switch (filter?.type) {
    case 'AT_LATEST':
      return live.filter((shard) => shard.closedAt === undefined);
    case 'AT_TRIM_HORIZON':
      return live.filter((shard) => openAt(shard, earliest));
    case 'AT_TIMESTAMP':
      return live.filter((shard) => openAt(shard, time));
    case 'FROM_TIMESTAMP':
      return live.filter((shard) => shard.closedAt === undefined || shard.closedAt > time);
    case 'AFTER_SHARD_ID':
      return live.filter((shard) => shard.id > (filter.shardId as string));
    default:
      return [...live];
  }
}

interface Listing {
  readonly stream: Stream;
  readonly filter: ShardFilter | undefined;
  readonly after: string;
}

function readListing(state: KinesisState, input: Input): Listing {
  const now = state.clock.now();
  const token = optionalString(input, 'NextToken', { min: 1 });
  if (token === undefined) {
    const stream = state.find(input);
    const created = optionalTimestamp(input, 'StreamCreationTimestamp');
    if (created !== undefined && Math.abs(created - stream.settings.createdAt) >= 1_000) {
      throw new AwsError(
        'ResourceNotFoundException',
        `No stream ${stream.settings.name} was created at ${new Date(created).toISOString()}.`,
      );
    }
    const after = optionalString(input, 'ExclusiveStartShardId', { min: 1, max: 128 }) ?? '';
    return { stream, filter: readFilter(input['ShardFilter'], now), after };
  }
  for (const name of ['StreamName', 'ExclusiveStartShardId', 'StreamCreationTimestamp', 'ShardFilter']) {
    if (input[name] !== undefined) throw invalidArgument(`NextToken and ${name} cannot be provided together.`);
  }
  const page = decodePage(token, now);
  const stream = state.byName(String(page['stream']));
  if (stream.settings.createdAt !== page['creation'])
    throw invalidArgument('The NextToken is of a stream that was deleted.');
  return { stream, filter: page['filter'] as ShardFilter | undefined, after: String(page['after']) };
}

const listShards: Operation = (state, input) => {
  const limit = Math.min(optionalInteger(input, 'MaxResults', 1, 10_000) ?? 1_000, 1_000);
  const { stream, filter, after } = readListing(state, input);
  const now = state.clock.now();
  const shards = filterShards(stream.liveShards(now), filter, stream.horizon(now), stream.settings.createdAt).filter(
    (shard) => shard.id > after,
  );
  const page = shards.slice(0, limit);
  const next = {
    stream: stream.settings.name,
    creation: stream.settings.createdAt,
    filter,
    after: page[page.length - 1]?.id,
  };
  return {
    Shards: page.map((shard) => describeShard(stream, shard)),
    ...(shards.length > limit && { NextToken: encodePage(next, now) }),
  };
};

function requireProvisioned(stream: Stream): void {
  if (stream.settings.mode === 'ON_DEMAND') {
    throw new AwsError(
      'ValidationException',
      `Stream ${stream.settings.name} is in ON_DEMAND mode; Kinesis manages its shards.`,
    );
  }
}

function requireOpen(stream: Stream, shard: Shard): void {
  if (shard.closedAt !== undefined) {
    throw invalidArgument(
      `Shard ${shard.id} in stream ${stream.settings.name} under account ${ACCOUNT} has already been merged or split, ` +
        'and thus is not eligible for merging or splitting.',
    );
  }
}

const splitShard: Operation = (state, input) => {
  const stream = state.find(input);
  const id = requiredString(input, 'ShardToSplit', { min: 1, max: 128 });
  const boundary = BigInt(requiredString(input, 'NewStartingHashKey', { pattern: /^(0|[1-9]\d{0,38})$/ }));
  requireProvisioned(stream);
  state.requireActive(stream);
  const shard = state.shard(stream, id);
  requireOpen(stream, shard);
  if (boundary <= shard.start + 1n || boundary >= shard.end) {
    throw invalidArgument(
      `NewStartingHashKey ${boundary} used in SplitShard() on shard ${id} in stream ${stream.settings.name} under account ` +
        `${ACCOUNT} is not both greater than one plus the shard's StartingHashKey ${shard.start} and less than the shard's ` +
        `EndingHashKey ${shard.end}.`,
    );
  }
  state.requireQuota(1);
  stream.split(shard, boundary, state.clock.now());
  state.updated(stream);
  return {};
};

const mergeShards: Operation = (state, input) => {
  const stream = state.find(input);
  const ids = ['ShardToMerge', 'AdjacentShardToMerge'].map((name) => requiredString(input, name, { min: 1, max: 128 }));
  requireProvisioned(stream);
  state.requireActive(stream);
  const [shard, adjacent] = ids.map((id) => state.shard(stream, id)) as [Shard, Shard];
  requireOpen(stream, shard);
  requireOpen(stream, adjacent);
  if (shard.end + 1n !== adjacent.start && adjacent.end + 1n !== shard.start) {
    throw invalidArgument(
      `Shards ${shard.id} and ${adjacent.id} in stream ${stream.settings.name} under account ${ACCOUNT} are not an adjacent ` +
        'pair of shards eligible for merging.',
    );
  }
  stream.merge(shard, adjacent, state.clock.now());
  state.updated(stream);
  return {};
};

const updateShardCount: Operation = (state, input) => {
  const stream = state.find(input);
  const target = requiredInteger(input, 'TargetShardCount', 1, 100_000);
  requiredString(input, 'ScalingType', { values: ['UNIFORM_SCALING'] });
  requireProvisioned(stream);
  state.requireActive(stream);
  const now = state.clock.now();
  const current = stream.openShards.length;
  if (target === current) throw invalidArgument(`Stream ${stream.settings.name} already has ${current} open shards.`);
  if (target > current * 2) throw beyondScaling('scale up over double', current, target);
  if (target * 2 < current) throw beyondScaling('scale down below half', current, target);
  const recent = stream.settings.scalings.filter((time) => time > now - DAY_MS);
  if (recent.length >= SCALINGS_PER_DAY && state.limits !== 'off') {
    throw new AwsError(
      'LimitExceededException',
      `UpdateShardCount was called ${SCALINGS_PER_DAY} times for stream ${stream.settings.name} in the last 24 hours; the next is ` +
        `possible at ${new Date((recent[0] as number) + DAY_MS).toISOString()}.`,
    );
  }
  state.requireQuota(Math.max(0, target - current));
  stream.scaleTo(target, now);
  stream.settings.scalings = [...recent, now];
  state.updated(stream);
  return {
    StreamName: stream.settings.name,
    StreamARN: stream.settings.arn,
    CurrentShardCount: current,
    TargetShardCount: target,
  };
};

function beyondScaling(what: string, current: number, target: number): AwsError {
  return new AwsError(
    'LimitExceededException',
    `UpdateShardCount cannot ${what} your current open shard count. Current open shard count: ${current} Target shard count: ${target}`,
  );
}

export const shardOperations: Operations = {
  ListShards: listShards,
  SplitShard: splitShard,
  MergeShards: mergeShards,
  UpdateShardCount: updateShardCount,
};
