import { createHash } from 'node:crypto';
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { CfnModelPackageGroup, CfnPipeline } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import type { UseCase } from '../../../use-cases/define-use-case';
import type { TrainingConfig } from '../../config/schema';
import type { PartitionLake } from '../lake/partition-lake';
import { pipelineDefinition } from './pipeline-definition';
import { TrainingRole } from './training-role';
import { xgboostImageUri } from './xgboost-image';

export interface TrainingPipelineProps extends Omit<TrainingConfig, 'trigger'> {
  readonly useCase: UseCase;
  /** First part of the pipeline's and the package group's names; CloudFormation demands names of both. */
  readonly namePrefix: string;
  readonly lake: PartitionLake;
  /** Consumer bundle for linux/amd64: the Processing steps. */
  readonly processingImage: DockerImageAsset;
}

/** A use case's SageMaker pipeline, the role of its jobs, and the group that its models are registered in. */
export class TrainingPipeline extends Construct {
  readonly useCase: UseCase;
  readonly pipelineName: string;
  readonly pipelineArn: string;
  readonly modelPackageGroupName: string;
  /** sha256, hex: changes when anything in the definition does, the image included. */
  readonly definitionHash: string;

  constructor(scope: Construct, id: string, props: TrainingPipelineProps) {
    super(scope, id);
    const { useCase, lake } = props;
    const stack = Stack.of(this);
    this.useCase = useCase;
    this.pipelineName = `${props.namePrefix}-${useCase.name}`;
    this.pipelineArn = stack.formatArn({
      service: 'sagemaker',
      resource: 'pipeline',
      resourceName: this.pipelineName,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });

    const group = new CfnModelPackageGroup(this, 'Models', {
      modelPackageGroupName: this.pipelineName,
      modelPackageGroupDescription: `${useCase.title}: models that passed the quality gate`,
    });
    this.modelPackageGroupName = this.pipelineName;

    const role = new TrainingRole(this, 'Role', {
      useCase: useCase.name,
      lake,
      processingImage: props.processingImage,
      modelPackageGroupName: this.modelPackageGroupName,
    });
    const definition = pipelineDefinition({
      useCase,
      roleArn: role.role.roleArn,
      processingImage: props.processingImage.imageUri,
      processingInstanceType: props.processingInstanceType,
      trainingImage: xgboostImageUri(this),
      trainingInstanceType: props.trainingInstanceType,
      spot: props.spot,
      maxRuntimeSeconds: props.maxRuntime.toSeconds(),
      artifactBucket: lake.artifactBucket.bucketName,
      kmsKeyArn: lake.key.keyArn,
      modelPackageGroup: this.modelPackageGroupName,
    });
    this.definitionHash = createHash('sha256')
      .update(JSON.stringify(stack.resolve(definition)))
      .digest('hex');

    const pipeline = new CfnPipeline(this, 'Resource', {
      pipelineName: this.pipelineName,
      pipelineDescription: useCase.description,
      roleArn: role.role.roleArn,
      // Untyped in CloudFormation's schema: the keys go through as they stand.
      pipelineDefinition: { PipelineDefinitionBody: stack.toJsonString(definition) },
    });
    pipeline.addResourceDependency(group);
    pipeline.node.addDependency(role);
  }

  /** Start executions and see which are running. */
  grantStart(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['sagemaker:ListPipelineExecutions', 'sagemaker:StartPipelineExecution'],
      resourceArns: [this.pipelineArn],
    });
  }

  metricSucceeded(): Metric {
    return this.metric('ExecutionSucceeded');
  }

  /** Failed executions, those that the quality gate refused included. */
  metricFailed(): Metric {
    return this.metric('ExecutionFailed');
  }

  private metric(metricName: string): Metric {
    return new Metric({
      namespace: 'AWS/Sagemaker/ModelBuildingPipeline',
      metricName,
      dimensionsMap: { PipelineName: this.pipelineName },
      statistic: Stats.SUM,
      period: Duration.minutes(5),
    });
  }
}
