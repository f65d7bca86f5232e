import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IAlarm,
  type IMetric,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { ConsumerMetric } from '../../contracts/metrics';
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
      graph('Records in and read', [stream.metricIncomingRecords(), stream.metricReadRecords()]),
      graph('Bytes in', [stream.metricIncomingBytes()]),
      graph('Lag', [stream.metricIteratorAge()]),
      graph('Throttled', [stream.metricWriteThrottled(), stream.metricReadThrottled()]),
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

function graph(title: string, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, left, right, width: 6, height: 6 });
}
