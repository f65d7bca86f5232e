import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { PipelineAlarms } from '../constructs/operations/pipeline-alarms';
import { PipelineDashboard } from '../constructs/operations/pipeline-dashboard';
import type { PipelineParts } from '../constructs/operations/pipeline-parts';
import type { PipelineStackProps } from './stack-props';

export interface ObservabilityStackProps extends PipelineStackProps {
  readonly parts: PipelineParts;
}

/** Alarms and the dashboard. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    super(scope, id, props);
    const { config, parts } = props;
    const { tasks } = config.consumer;
    const { set } = new PipelineAlarms(this, 'Alarms', {
      ...parts,
      maxLag: config.operations.maxLag,
      minimumTasks: tasks.mode === 'fixed' ? tasks.count : tasks.minimum,
      email: config.operations.alarmEmail,
    });
    const { dashboard } = new PipelineDashboard(this, 'Dashboard', { ...parts, alarms: set.alarms });
    new CfnOutput(this, 'AlarmTopicArn', { value: set.topic.topicArn });
    new CfnOutput(this, 'DashboardName', { value: dashboard.dashboardName });
  }
}
