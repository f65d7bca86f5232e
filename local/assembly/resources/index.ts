/** Every resource type that a template may hold: what provisions it here, or why nothing has to. */
import type { Provisioner } from '../provisioner';
import * as dynamodb from './dynamodb';
import * as ecs from './ecs';
import * as events from './events';
import * as glue from './glue';
import * as iam from './iam';
import * as iot from './iot';
import * as kinesis from './kinesis';
import * as lambda from './lambda';
import * as messaging from './queues-and-topics';
import * as s3 from './s3';
import * as sagemaker from './sagemaker';
import { withoutLocalMeaning } from './without-local-meaning';

export const PROVISIONERS: Readonly<Record<string, Provisioner>> = {
  'AWS::DynamoDB::Table': dynamodb.table,
  'AWS::ECS::Cluster': ecs.cluster,
  'AWS::ECS::Service': ecs.service,
  'AWS::ECS::TaskDefinition': ecs.taskDefinition,
  'AWS::Events::EventBus': events.eventBus,
  'AWS::Events::Rule': events.rule,
  'AWS::Glue::Database': glue.database,
  'AWS::Glue::Table': glue.table,
  'AWS::IAM::Role': iam.role,
  'AWS::IoT::Policy': iot.policy,
  'AWS::IoT::ThingType': iot.thingType,
  'AWS::IoT::TopicRule': iot.topicRule,
  'AWS::Kinesis::Stream': kinesis.stream,
  'AWS::Kinesis::StreamConsumer': kinesis.streamConsumer,
  'AWS::Lambda::EventSourceMapping': lambda.eventSourceMapping,
  'AWS::Lambda::Function': lambda.lambdaFunction,
  'AWS::S3::Bucket': s3.bucket,
  'AWS::S3::BucketPolicy': s3.bucketPolicy,
  'AWS::SageMaker::ModelPackageGroup': sagemaker.modelPackageGroup,
  'AWS::SageMaker::Pipeline': sagemaker.pipeline,
  'AWS::SNS::Subscription': messaging.subscription,
  'AWS::SNS::Topic': messaging.topic,
  'AWS::SQS::Queue': messaging.queue,
  'Custom::S3BucketNotifications': s3.bucketNotifications,
};

export function provisionerOf(type: string): Provisioner | undefined {
  return PROVISIONERS[type] ?? withoutLocalMeaning(type);
}
