/** Streams: create, delete, describe, list, and their settings. */
import { AwsError } from '../../gateway/service';
import { invalidArgument, optionalInteger, optionalString, requiredInteger, requiredString, structure } from './input';
import type { Input } from './input';
import { describeShard } from './operations-shards';
import { ACCOUNT, REGION, seconds, SHARD_QUOTA, STREAM_NAME } from './state';
import type { KinesisState, Operation, Operations } from './state';
import { Stream } from './stream';
import { decodePage, encodePage } from './tokens';
import { readTags } from './operations-tags';

const DEFAULT_RETENTION_HOURS = 24;
const MAXIMUM_RETENTION_HOURS = 8_760;
/** An on-demand stream begins with four shards. */
const ON_DEMAND_SHARDS = 4;
const METRICS = [
  'IncomingBytes',
  'IncomingRecords',
  'OutgoingBytes',
  'OutgoingRecords',
  'WriteProvisionedThroughputExceeded',
  'ReadProvisionedThroughputExceeded',
  'IteratorAgeMilliseconds',
];

export function streamArn(name: string): string {
  return `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${name}`;
}

const MODES = { values: ['PROVISIONED', 'ON_DEMAND'] } as const;

function readMode(input: Input): StreamMode | undefined {
  if (input['StreamModeDetails'] === undefined) return undefined;
  return requiredString(structure(input['StreamModeDetails'], 'StreamModeDetails'), 'StreamMode', MODES) as StreamMode;
}

type StreamMode = 'PROVISIONED' | 'ON_DEMAND';

const createStream: Operation = (state, input) => {
  const name = requiredString(input, 'StreamName', STREAM_NAME);
  const mode = readMode(input) ?? 'PROVISIONED';
  const shardCount = optionalInteger(input, 'ShardCount', 1, 100_000);
  const maxRecordSizeInKiB = optionalInteger(input, 'MaxRecordSizeInKiB', 1_024, 10_240) ?? 1_024;
  const tags = input['Tags'] === undefined ? {} : readTags(input['Tags']);
  if (mode === 'PROVISIONED' && shardCount === undefined) {
    throw new AwsError('ValidationException', 'ShardCount must be given for a stream in PROVISIONED mode.');
  }
  if (mode === 'ON_DEMAND' && shardCount !== undefined) {
    throw new AwsError('ValidationException', 'ShardCount must not be given for a stream in ON_DEMAND mode.');
  }
  if (state.streams.has(name)) {
    throw new AwsError('ResourceInUseException', `Stream ${name} under account ${ACCOUNT} already exists.`);
  }
  const shards = shardCount ?? ON_DEMAND_SHARDS;
  state.requireQuota(shards);
  const now = state.clock.now();
  const settings = {
    name,
    arn: streamArn(name),
    createdAt: now,
    mode,
    retentionHours: DEFAULT_RETENTION_HOURS,
    maxRecordSizeInKiB,
    tags,
    consumers: [],
    shardLevelMetrics: [],
    scalings: [],
    readyAt: now + state.statusDelayMs,
  };
  const stream = Stream.create(settings, shards);
  state.streams.set(name, stream);
  state.save(stream);
  return {};
};

const deleteStream: Operation = (state, input) => {
  const stream = state.find(input);
  if (stream.settings.consumers.length > 0 && input['EnforceConsumerDeletion'] !== true) {
    throw new AwsError(
      'ResourceInUseException',
      `Stream ${stream.settings.name} has registered consumers; deregister them or set EnforceConsumerDeletion.`,
    );
  }
  state.streams.delete(stream.settings.name);
  state.storage.remove(stream);
  return {};
};

function describeBasics(state: KinesisState, stream: Stream): Record<string, unknown> {
  const { settings } = stream;
  return {
    StreamName: settings.name,
    StreamARN: settings.arn,
    StreamStatus: state.status(stream),
    StreamModeDetails: { StreamMode: settings.mode },
    RetentionPeriodHours: settings.retentionHours,
    StreamCreationTimestamp: seconds(settings.createdAt),
    EnhancedMonitoring: [{ ShardLevelMetrics: settings.shardLevelMetrics }],
    EncryptionType: settings.keyId === undefined ? 'NONE' : 'KMS',
    ...(settings.keyId !== undefined && { KeyId: settings.keyId }),
  };
}

const describeStream: Operation = (state, input) => {
  const stream = state.find(input);
  const limit = optionalInteger(input, 'Limit', 1, 10_000) ?? 100;
  const after = optionalString(input, 'ExclusiveStartShardId') ?? '';
  const shards = stream.liveShards(state.clock.now()).filter((shard) => shard.id > after);
  const page = shards.slice(0, limit).map((shard) => describeShard(stream, shard));
  return {
    StreamDescription: { ...describeBasics(state, stream), Shards: page, HasMoreShards: shards.length > limit },
  };
};

const describeStreamSummary: Operation = (state, input) => {
  const stream = state.find(input);
  return {
    StreamDescriptionSummary: {
      ...describeBasics(state, stream),
      OpenShardCount: stream.openShards.length,
      ConsumerCount: stream.settings.consumers.length,
      MaxRecordSizeInKiB: stream.settings.maxRecordSizeInKiB,
    },
  };
};

const listStreams: Operation = (state, input) => {
  const limit = optionalInteger(input, 'Limit', 1, 10_000) ?? 100;
  const token = optionalString(input, 'NextToken');
  const after =
    token === undefined
      ? optionalString(input, 'ExclusiveStartStreamName')
      : String(decodePage(token, state.clock.now())['after']);
  const names = [...state.streams.keys()].sort().filter((name) => after === undefined || name > after);
  const page = names.slice(0, limit);
  const more = names.length > limit;
  return {
    StreamNames: page,
    HasMoreStreams: more,
    StreamSummaries: page.map((name) => {
      const stream = state.byName(name);
      const { StreamName, StreamARN, StreamStatus, StreamModeDetails, StreamCreationTimestamp } = describeBasics(
        state,
        stream,
      );
      return { StreamName, StreamARN, StreamStatus, StreamModeDetails, StreamCreationTimestamp };
    }),
    ...(more && { NextToken: encodePage({ after: page[page.length - 1] }, state.clock.now()) }),
  };
};

function changeRetention(direction: 'Increase' | 'Decrease'): Operation {
  return (state, input) => {
    const stream = state.find(input);
    const hours = requiredInteger(input, 'RetentionPeriodHours', -2_147_483_648, 2_147_483_647);
    const current = stream.settings.retentionHours;
    if (hours < DEFAULT_RETENTION_HOURS) {
      throw invalidArgument(
        `Minimum allowed retention period is ${DEFAULT_RETENTION_HOURS} hours. Requested retention period (${hours} hours) is too short.`,
      );
    }
    if (hours > MAXIMUM_RETENTION_HOURS) {
      throw invalidArgument(
        `Maximum allowed retention period is ${MAXIMUM_RETENTION_HOURS} hours. Requested retention period (${hours} hours) is too long.`,
      );
    }
    if (direction === 'Increase' ? hours < current : hours > current) {
      throw invalidArgument(
        `Requested retention period (${hours} hours) for stream ${stream.settings.name} can not be ` +
          `${direction === 'Increase' ? 'shorter' : 'longer'} than existing retention period (${current} hours). ` +
          `Use ${direction === 'Increase' ? 'DecreaseStreamRetentionPeriod' : 'IncreaseStreamRetentionPeriod'} API.`,
      );
    }
    state.requireActive(stream);
    // What is beyond the old period stays gone when the period grows again.
    stream.trim(state.clock.now());
    stream.settings.retentionHours = hours;
    stream.trim(state.clock.now());
    state.updated(stream);
    return {};
  };
}

const updateStreamMode: Operation = (state, input) => {
  const stream = state.find(input);
  const mode = readMode(input);
  if (mode === undefined) throw new AwsError('ValidationException', 'StreamModeDetails must be given.');
  state.requireActive(stream);
  stream.settings.mode = mode;
  state.updated(stream);
  return {};
};

const updateMaxRecordSize: Operation = (state, input) => {
  const stream = state.find(input);
  const size = requiredInteger(input, 'MaxRecordSizeInKiB', 1_024, 10_240);
  state.requireActive(stream);
  stream.settings.maxRecordSizeInKiB = size;
  state.updated(stream);
  return {};
};

function changeEncryption(start: boolean): Operation {
  return (state, input) => {
    const stream = state.find(input);
    requiredString(input, 'EncryptionType', { values: ['NONE', 'KMS'] });
    const keyId = requiredString(input, 'KeyId', { min: 1, max: 2_048 });
    state.requireActive(stream);
    if (start) stream.settings.keyId = keyId;
    else delete stream.settings.keyId;
    state.updated(stream);
    return {};
  };
}

function changeMonitoring(enable: boolean): Operation {
  return (state, input) => {
    const stream = state.find(input);
    const asked = Array.isArray(input['ShardLevelMetrics']) ? input['ShardLevelMetrics'].map(String) : [];
    const metrics = asked.includes('ALL') ? METRICS : METRICS.filter((metric) => asked.includes(metric));
    const current = stream.settings.shardLevelMetrics;
    const desired = METRICS.filter((metric) => (metrics.includes(metric) ? enable : current.includes(metric)));
    stream.settings.shardLevelMetrics = desired;
    state.save(stream);
    return {
      StreamName: stream.settings.name,
      StreamARN: stream.settings.arn,
      CurrentShardLevelMetrics: current,
      DesiredShardLevelMetrics: desired,
    };
  };
}

const describeLimits: Operation = (state) => {
  const streams = [...state.streams.values()];
  return {
    ShardLimit: SHARD_QUOTA,
    OpenShardCount: streams.reduce((sum, stream) => sum + stream.openShards.length, 0),
    OnDemandStreamCount: streams.filter((stream) => stream.settings.mode === 'ON_DEMAND').length,
    OnDemandStreamCountLimit: 50,
  };
};

export const streamOperations: Operations = {
  CreateStream: createStream,
  DeleteStream: deleteStream,
  DescribeStream: describeStream,
  DescribeStreamSummary: describeStreamSummary,
  ListStreams: listStreams,
  IncreaseStreamRetentionPeriod: changeRetention('Increase'),
  DecreaseStreamRetentionPeriod: changeRetention('Decrease'),
  UpdateStreamMode: updateStreamMode,
  UpdateMaxRecordSize: updateMaxRecordSize,
  StartStreamEncryption: changeEncryption(true),
  StopStreamEncryption: changeEncryption(false),
  EnableEnhancedMonitoring: changeMonitoring(true),
  DisableEnhancedMonitoring: changeMonitoring(false),
  DescribeLimits: describeLimits,
};
