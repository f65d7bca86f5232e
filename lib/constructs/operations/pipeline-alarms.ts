import { Duration } from 'aws-cdk-lib';
import { ComparisonOperator, type IMetric, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { ConsumerMetric } from '../../contracts/metrics';
import { type AlarmDefinition, AlarmSet } from './alarm-set';
import type { PipelineParts } from './pipeline-parts';

export interface PipelineAlarmsProps extends PipelineParts {
  /** Iterator age that is too much. */
  readonly maxLag: Duration;
  /** Fewest consumer tasks that may run. */
  readonly minimumTasks: number;
  /** @default - nobody is subscribed */
  readonly email?: string;
}

const ABOVE = ComparisonOperator.GREATER_THAN_THRESHOLD;

/** Rings on the first one in five minutes. */
function any(
  metric: IMetric,
): Pick<AlarmDefinition, 'metric' | 'threshold' | 'evaluationPeriods' | 'comparisonOperator'> {
  return { metric, threshold: 0, evaluationPeriods: 1, comparisonOperator: ABOVE };
}

/** Rings when it holds for a quarter of an hour. */
function sustained(metric: IMetric, threshold: number): ReturnType<typeof any> {
  return { metric, threshold, evaluationPeriods: 3, comparisonOperator: ABOVE };
}

/** What can go wrong on the way of a reading, stage by stage. */
export class PipelineAlarms extends Construct {
  readonly set: AlarmSet;

  constructor(scope: Construct, id: string, props: PipelineAlarmsProps) {
    super(scope, id);
    this.set = new AlarmSet(this, 'Set', { email: props.email });
    this.ingest(props);
    this.stream(props);
    this.consumer(props);
    this.training(props);
  }

  private ingest({ rules, errorRedrive }: PipelineAlarmsProps): void {
    for (const rule of rules) {
      this.set.add(`RuleErrorActionFailed-${rule.useCase}`, {
        ...any(rule.metricErrorActionFailures()),
        description: `Readings of ${rule.useCase} were lost: neither the stream nor the error queue took them.`,
        runbook: 'rule-error-action-failed',
      });
    }
    this.set.add('RedriveDelayed', {
      ...sustained(errorRedrive.metricOldestMessageAge(), Duration.minutes(15).toSeconds()),
      description: 'Readings wait in the error queue: the stream keeps refusing them.',
      runbook: 'redrive-delayed',
    });
    this.set.add('RedriveDeadLetters', {
      ...any(errorRedrive.metricDeadLetters()),
      description: 'Readings that could not be put on the stream were given up.',
      runbook: 'redrive-dead-letters',
    });
  }

  private stream({ stream, consumer, maxLag }: PipelineAlarmsProps): void {
    this.set.add('IteratorAge', {
      metric: consumer.reader.metricLag(),
      threshold: maxLag.toMilliseconds(),
      evaluationPeriods: 5,
      comparisonOperator: ABOVE,
      description: 'The consumer falls behind the stream; at its retention, data is lost.',
      runbook: 'iterator-age',
    });
    this.set.add('StreamWriteThrottled', {
      ...sustained(stream.metricWriteThrottled(), 0),
      description: 'The stream refuses writes: a shard is full.',
      runbook: 'stream-write-throttled',
    });
    this.set.add('StreamReadThrottled', {
      ...sustained(consumer.reader.metricThrottled(), 100),
      description: 'The stream refuses reads: another application polls it too.',
      runbook: 'stream-read-throttled',
    });
  }

  private consumer({ consumer, leases, registry, minimumTasks }: PipelineAlarmsProps): void {
    this.set.add('TasksMissing', {
      metric: consumer.metricRunningTasks(),
      threshold: minimumTasks,
      evaluationPeriods: 10,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
      description: 'Fewer consumer tasks run than should.',
      runbook: 'tasks-missing',
    });
    this.set.add('ConsumerMemory', {
      ...sustained(consumer.metricMemory(), 90),
      description: 'A consumer task is about to run out of memory.',
      runbook: 'consumer-memory',
    });
    this.set.add('StreamGap', {
      ...any(consumer.metric(ConsumerMetric.streamGaps)),
      description: 'Records were trimmed from the stream before they were read: data is lost.',
      runbook: 'stream-gap',
    });
    this.set.add('QuarantineShare', {
      ...sustained(
        new MathExpression({
          label: 'Quarantined, per cent of all readings',
          expression: '100 * quarantined / (quarantined + committed)',
          usingMetrics: {
            quarantined: consumer.metric(ConsumerMetric.readingsQuarantined),
            committed: consumer.metric(ConsumerMetric.readingsCommitted),
          },
          period: Duration.minutes(5),
        }),
        5,
      ),
      description: 'More than 5 % of the readings are quarantined.',
      runbook: 'quarantine-share',
    });
    this.set.add('FoldTaskParked', {
      ...any(consumer.metric(ConsumerMetric.foldTasksParked)),
      description: 'A fold task failed three times and was set aside; its partition does not seal.',
      runbook: 'fold-task-parked',
    });
    for (const [name, table] of [
      ['LeaseTable', leases],
      ['Registry', registry],
    ] as const) {
      this.set.add(`${name}Throttled`, {
        ...sustained(table.metricThrottled(), 0),
        description: `DynamoDB throttles the ${name === 'Registry' ? 'partition registry' : 'lease table'}.`,
        runbook: 'table-throttled',
      });
    }
  }

  private training({ trigger, pipelines }: PipelineAlarmsProps): void {
    this.set.add('TriggerErrors', {
      ...sustained(trigger.metricErrors(), 0),
      description: 'The partition trigger fails.',
      runbook: 'trigger-errors',
    });
    this.set.add('TriggerDeadLetters', {
      ...any(trigger.metricDeadLetters()),
      description: 'Events of sealed partitions or ended executions were given up.',
      runbook: 'trigger-dead-letters',
    });
    for (const pipeline of pipelines) {
      this.set.add(`TrainingFailed-${pipeline.useCase.name}`, {
        ...any(pipeline.metricFailed()),
        description: `A training execution of ${pipeline.useCase.name} failed, or its model was refused by the gate.`,
        runbook: 'training-failed',
      });
    }
  }
}
