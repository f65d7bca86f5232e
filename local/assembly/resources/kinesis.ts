import { arn, physicalName } from '../names';
import { optionalNumber, optionalText, optionalObject, pick, requireText } from '../provisioner';
import type { Provisioner } from '../provisioner';
import { unless } from '../service-calls';

const DEFAULT_RETENTION_HOURS = 24;

/** Encryption has no local meaning. A shard count that somebody else changed stays, until the template's own changes. */
export const stream: Provisioner = async ({ stack, logicalId, properties, previous }, calls) => {
  const StreamName = optionalText(properties, 'Name') ?? physicalName(stack, logicalId, { maximumLength: 128 });
  const ShardCount = optionalNumber(properties, 'ShardCount');
  const mode = optionalObject(properties, 'StreamModeDetails');
  const created = await unless(
    ['ResourceInUseException'],
    calls.json('kinesis', 'CreateStream', {
      StreamName,
      ...(ShardCount !== undefined && { ShardCount }),
      ...(mode && { StreamModeDetails: mode }),
    }),
  );
  const before = previous === undefined ? undefined : optionalNumber(previous, 'ShardCount');
  if (created === undefined && ShardCount !== undefined && before !== undefined && before !== ShardCount) {
    await calls.json('kinesis', 'UpdateShardCount', {
      StreamName,
      TargetShardCount: ShardCount,
      ScalingType: 'UNIFORM_SCALING',
    });
  }
  await setRetention(StreamName, optionalNumber(properties, 'RetentionPeriodHours') ?? DEFAULT_RETENTION_HOURS, calls);
  return {
    physicalId: StreamName,
    attributes: { Arn: arn('kinesis', `stream/${StreamName}`), WarmThroughputObject: {} },
  };
};

async function setRetention(StreamName: string, hours: number, calls: Parameters<Provisioner>[1]): Promise<void> {
  const { StreamDescriptionSummary } = await calls.json('kinesis', 'DescribeStreamSummary', { StreamName });
  const current = Number((StreamDescriptionSummary as { RetentionPeriodHours: number }).RetentionPeriodHours);
  if (current === hours) return;
  const operation = hours > current ? 'IncreaseStreamRetentionPeriod' : 'DecreaseStreamRetentionPeriod';
  await calls.json('kinesis', operation, { StreamName, RetentionPeriodHours: hours });
}

export const streamConsumer: Provisioner = async ({ properties }, calls) => {
  const input = {
    StreamARN: requireText(properties, 'StreamARN'),
    ConsumerName: requireText(properties, 'ConsumerName'),
  };
  const registered = await unless(['ResourceInUseException'], calls.json('kinesis', 'RegisterStreamConsumer', input));
  const answer = registered ?? (await calls.json('kinesis', 'DescribeStreamConsumer', input));
  const consumer = (answer['Consumer'] ?? answer['ConsumerDescription']) as Record<string, unknown>;
  const attributes = { ...pick(consumer, 'ConsumerARN', 'ConsumerName', 'ConsumerStatus'), StreamARN: input.StreamARN };
  return { physicalId: String(consumer['ConsumerARN']), attributes };
};
