import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { basicIngestTopic, telemetryRuleName, telemetryRuleSql } from '../../contracts/topics';
import type { TelemetryStream } from '../stream/telemetry-stream';

export interface TelemetryRuleProps {
  /** Name of the use case: the second level of its topics. */
  readonly useCase: string;
  /** First part of the rule's name, which devices spell out in Basic Ingest topics. */
  readonly namePrefix: string;
  readonly stream: TelemetryStream;
  /** Takes what could not be put on the stream. */
  readonly errorQueue: IQueue;
}

/**
 * Puts whatever a use case's devices publish on the stream, in the envelope of lib/contracts/topics.ts, with the
 * device as partition key: a device's readings keep their order. What the stream refuses goes to the error queue.
 */
export class TelemetryRule extends Construct {
  readonly useCase: string;
  readonly ruleName: string;
  readonly rule: CfnTopicRule;

  constructor(scope: Construct, id: string, props: TelemetryRuleProps) {
    super(scope, id);
    this.useCase = props.useCase;
    this.ruleName = telemetryRuleName(props.namePrefix, props.useCase);

    const stack = Stack.of(this);
    // By name: the rule refers to the role, so the role cannot refer to the rule.
    const ruleArn = stack.formatArn({
      service: 'iot',
      resource: 'rule',
      resourceName: this.ruleName,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    const role = new Role(this, 'Role', {
      description: `IoT rule ${this.ruleName}: stream and error queue`,
      assumedBy: new ServicePrincipal('iot.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account }, ArnEquals: { 'aws:SourceArn': ruleArn } },
      }),
    });
    props.stream.grantPut(role);
    role.addToPrincipalPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [props.errorQueue.queueArn] }),
    );

    this.rule = new CfnTopicRule(this, 'Resource', {
      ruleName: this.ruleName,
      topicRulePayload: {
        description: `Readings of ${props.useCase} to the telemetry stream`,
        awsIotSqlVersion: '2016-03-23',
        sql: telemetryRuleSql(props.useCase),
        ruleDisabled: false,
        actions: [
          {
            kinesis: {
              streamName: props.stream.stream.streamName,
              partitionKey: '${topic(3)}',
              roleArn: role.roleArn,
            },
          },
        ],
        errorAction: { sqs: { queueUrl: props.errorQueue.queueUrl, roleArn: role.roleArn, useBase64: false } },
      },
    });
    // The rule fails for as long as the role cannot do its work.
    this.rule.node.addDependency(role);
  }

  /** Topic by which `device` reaches this rule without the message broker's charge. */
  basicIngestTopic(device: string): string {
    return basicIngestTopic(this.ruleName, this.useCase, device);
  }

  /** Messages that the rule took. */
  metricMatched(): Metric {
    return this.metric('TopicMatch');
  }

  /** Messages lost: the stream refused them, and the error queue too. */
  metricErrorActionFailures(): Metric {
    return this.metric('ErrorActionFailure');
  }

  private metric(metricName: string): Metric {
    return new Metric({
      namespace: 'AWS/IoT',
      metricName,
      dimensionsMap: { RuleName: this.ruleName },
      statistic: Stats.SUM,
      period: Duration.minutes(5),
    });
  }
}
