import { SizeRoundingBehavior } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ConsumerConfig, EnvironmentConfig } from './schema';

const FARGATE_MEMORY_MIB: Record<ConsumerConfig['cpu'], readonly [minimum: number, maximum: number, step: number]> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16_384, 1024],
  4096: [8192, 30_720, 1024],
};

const LOG_RETENTION_DAYS = Object.values(RetentionDays).filter(
  (days): days is RetentionDays => typeof days === 'number' && days !== RetentionDays.INFINITE,
);

/** Every problem of the configuration, each as `<environment>: <path>: <what is wrong and what is allowed>`; none = valid. */
export function validate(config: EnvironmentConfig): string[] {
  const problems: string[] = [];
  const check = (holds: boolean, path: string, problem: string): void => {
    if (!holds) problems.push(`${config.name}: ${path}: ${problem}`);
  };
  const integer = (value: number, path: string, minimum: number, maximum: number): void =>
    check(
      Number.isInteger(value) && value >= minimum && value <= maximum,
      path,
      `${value} must be a whole number from ${minimum} to ${maximum}`,
    );

  check(/^[a-z][a-z0-9]{0,11}$/.test(config.name), 'name', 'must be 1 to 12 lower-case letters and digits');

  const { target, data, stream, consumer, training, operations } = config;
  if (target) {
    check(/^\d{12}$/.test(target.account), 'target.account', 'must be 12 digits');
    check(/^[a-z]{2}(-[a-z]+)+-\d$/.test(target.region), 'target.region', 'must be a region such as eu-central-1');
    check(target.availabilityZones.length >= 2, 'target.availabilityZones', 'at least two zones are needed');
    for (const zone of target.availabilityZones) {
      check(zone.startsWith(target.region), 'target.availabilityZones', `${zone} is not in ${target.region}`);
    }
  }

  if (config.production) {
    check(
      data.removal === 'retain',
      'data.removal',
      'destroy is not allowed in production: it deletes data; use retain',
    );
    check(data.deletionProtection, 'data.deletionProtection', 'must be on in production');
    check(
      stream.retention.toHours() >= 72,
      'stream.retention',
      'production needs 72 hours or more, so that a weekend without the consumer loses nothing',
    );
  }
  check(
    data.readingsExpiry === undefined || data.readingsExpiry.toMilliseconds() > consumer.maxEventAge.toMilliseconds(),
    'data.readingsExpiry',
    'must be longer than consumer.maxEventAge, or late readings would join expired partitions',
  );

  if (stream.capacity.mode === 'provisioned') integer(stream.capacity.shards, 'stream.capacity.shards', 1, 10_000);
  integer(stream.retention.toHours({ integral: false }), 'stream.retention (hours)', 24, 8760);

  const [minimum, maximum, step] = FARGATE_MEMORY_MIB[consumer.cpu] ?? [0, 0, 1];
  check(maximum > 0, 'consumer.cpu', `${consumer.cpu} must be one of ${Object.keys(FARGATE_MEMORY_MIB).join(', ')}`);
  const memory = consumer.memory.toMebibytes({ rounding: SizeRoundingBehavior.NONE });
  check(
    memory >= minimum && memory <= maximum && memory % step === 0,
    'consumer.memory',
    `${memory} MiB with ${consumer.cpu} CPU units: Fargate offers ${minimum} to ${maximum} MiB in steps of ${step}`,
  );
  if (consumer.tasks.mode === 'fixed') integer(consumer.tasks.count, 'consumer.tasks.count', 1, 1000);
  else {
    integer(consumer.tasks.minimum, 'consumer.tasks.minimum', 1, 1000);
    integer(consumer.tasks.maximum, 'consumer.tasks.maximum', consumer.tasks.minimum, 1000);
    check(
      consumer.tasks.targetLag.toMilliseconds() < operations.maxLag.toMilliseconds(),
      'consumer.tasks.targetLag',
      'must be below operations.maxLag: add tasks before the alarm',
    );
  }
  check(
    consumer.spotShare >= 0 && consumer.spotShare <= 1,
    'consumer.spotShare',
    `${consumer.spotShare} must be 0 to 1`,
  );
  check(consumer.failoverTime.toMilliseconds() >= 5000, 'consumer.failoverTime', 'must be at least 5 seconds');
  if (consumer.initialPosition !== 'TRIM_HORIZON') {
    integer(consumer.initialPosition, 'consumer.initialPosition (epoch milliseconds)', 0, Number.MAX_SAFE_INTEGER);
  }
  check(
    consumer.flushInterval.toMilliseconds() >= 500 && consumer.flushInterval.toMilliseconds() <= 600_000,
    'consumer.flushInterval',
    'must be 0.5 seconds to 10 minutes',
  );
  const flushMiB = consumer.flushSize.toMebibytes({ rounding: SizeRoundingBehavior.NONE });
  check(flushMiB >= 1 && flushMiB <= memory / 8, 'consumer.flushSize', 'must be 1 MiB to an eighth of consumer.memory');

  for (const key of ['processingInstanceType', 'trainingInstanceType'] as const) {
    check(
      /^ml\.[a-z0-9]+\.[a-z0-9]+$/.test(training[key]),
      `training.${key}`,
      'must be an instance type such as ml.m5.large',
    );
  }
  const { newPartitions = 1, minimumRows = 0, cooldown = 0, datasetHours = 8760 } = training.trigger ?? {};
  integer(datasetHours, 'training.trigger.datasetHours', 1, 8760);
  integer(newPartitions, 'training.trigger.newPartitions', 1, datasetHours);
  integer(minimumRows, 'training.trigger.minimumRows', 0, Number.MAX_SAFE_INTEGER);
  integer(cooldown, 'training.trigger.cooldown (milliseconds)', 0, Number.MAX_SAFE_INTEGER);
  check(training.maxRuntime.toMinutes() <= 60, 'training.maxRuntime', 'must be at most one hour');

  check(
    LOG_RETENTION_DAYS.includes(operations.logRetention.toDays()),
    'operations.logRetention',
    `${operations.logRetention.toDays()} days must be one of ${LOG_RETENTION_DAYS.join(', ')}`,
  );
  check(
    operations.maxLag.toMilliseconds() < stream.retention.toMilliseconds(),
    'operations.maxLag',
    'must be below stream.retention: after that, records are lost',
  );
  check(
    operations.alarmEmail === undefined || /^[^@\s]+@[^@\s]+$/.test(operations.alarmEmail),
    'operations.alarmEmail',
    'must be an e-mail address',
  );
  return problems;
}
