import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IAlarm,
  type IMetric,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { ConsumerMetric } from '../../contracts/metrics';
import type { KclService } from '../compute/kcl-service';
import type { PipelineParts } from './pipeline-parts';

export interface PipelineDashboardProps extends PipelineParts {
  readonly alarms: readonly IAlarm[];
}

/** The way of a reading on one page, a row per stage. */
export class PipelineDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: PipelineDashboardProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, 'Resource', { defaultInterval: Duration.hours(6) });
    const { rules, errorRedrive, stream, consumer, leases, registry, trigger, pipelines } = props;

    this.dashboard.addWidgets(
      new AlarmStatusWidget({ title: 'Alarms', alarms: [...props.alarms], width: 24, height: 4 }),
    );
    this.stage('Publish and route', [
      graph(
        'Messages by rule',
        rules.map((rule) => rule.metricMatched().with({ label: rule.useCase })),
      ),
      graph('Waiting for redrive', [errorRedrive.metricOldestMessageAge(), errorRedrive.metricDeadLetters()]),
    ]);
    this.stage('Stream', [
      graph('Records in and read', [stream.metricIncomingRecords(), consumer.reader.metricRecords()]),
      graph('Bytes in', [stream.metricIncomingBytes()]),
      graph('Lag', [consumer.reader.metricLag()]),
      graph('Throttled', [stream.metricWriteThrottled(), consumer.reader.metricThrottled()]),
    ]);
    this.stage('Consume, fold and seal', [
      graph('Readings', [
        consumer.metric(ConsumerMetric.readingsCommitted),
        consumer.metric(ConsumerMetric.readingsQuarantined),
      ]),
      graph('Partitions sealed', [
        consumer.metric(ConsumerMetric.partitionsSealed),
        consumer.metric(ConsumerMetric.foldTasksParked),
        consumer.metric(ConsumerMetric.streamGaps),
      ]),
      graph('Tasks, CPU and memory', [consumer.metricCpu(), consumer.metricMemory()], [consumer.metricRunningTasks()]),
      graph('Throttled tables', [leases.metricThrottled(), registry.metricThrottled()]),
    ]);
    if (consumer.publishesKclMetrics) this.stage('Kinesis Client Library', kclGraphs(consumer));
    this.stage('Train', [
      graph('Trigger', [trigger.metricErrors(), trigger.metricDeadLetters()]),
      ...pipelines.map((pipeline) =>
        graph(pipeline.useCase.title, [pipeline.metricSucceeded(), pipeline.metricFailed()]),
      ),
    ]);
  }

  private stage(title: string, graphs: readonly GraphWidget[]): void {
    this.dashboard.addWidgets(new TextWidget({ markdown: `## ${title}`, width: 24, height: 1 }));
    this.dashboard.addWidgets(...graphs);
  }
}

function kclGraphs(consumer: KclService): GraphWidget[] {
  return [
    graph('Milliseconds behind, by shard', [
      consumer.kclMetricByShard('ProcessTask', 'MillisBehindLatest', Stats.MAXIMUM),
    ]),
    graph('Milliseconds for a batch, by shard', [
      consumer.kclMetricByShard('ProcessTask', 'RecordProcessor.processRecords.Time', Stats.AVERAGE),
    ]),
    graph(
      'Leases of a task, and lost ones',
      [
        consumer.kclMetric('RenewAllLeases', 'CurrentLeases', Stats.MAXIMUM).with({ label: 'most' }),
        consumer.kclMetric('RenewAllLeases', 'CurrentLeases', Stats.MINIMUM).with({ label: 'fewest' }),
      ],
      [consumer.kclMetric('RenewAllLeases', 'LostLeases', Stats.SUM)],
    ),
    graph('The leader: workers, leases, assignments', [
      consumer.kclMetric('LeaseAssignmentManager', 'NumWorkers', Stats.MAXIMUM),
      consumer.kclMetric('LeaseAssignmentManager', 'TotalLeases', Stats.MAXIMUM),
      consumer.kclMetric('LeaseAssignmentManager', 'ExpiredLeases', Stats.MAXIMUM),
      consumer.kclMetric('LeaseAssignmentManager', 'NumOfLeasesReassignment', Stats.SUM),
    ]),
  ];
}

function graph(title: string, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, left, right, width: 6, height: 6 });
}
