import { CfnOutput, Stack } from 'aws-cdk-lib';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import type { Construct } from 'constructs';
import type { UseCase } from '../../use-cases/define-use-case';
import type { ConsumerBundle } from '../constructs/compute/consumer-bundle';
import type { LakeCatalog } from '../constructs/lake/lake-catalog';
import type { PartitionLake } from '../constructs/lake/partition-lake';
import type { PartitionRegistry } from '../constructs/lake/partition-registry';
import { PartitionTrigger } from '../constructs/training/partition-trigger';
import { TrainingPipeline } from '../constructs/training/training-pipeline';
import type { PipelineStackProps } from './stack-props';

export interface TrainingStackProps extends PipelineStackProps {
  readonly useCases: readonly UseCase[];
  readonly lake: PartitionLake;
  readonly registry: PartitionRegistry;
  readonly catalog: LakeCatalog;
  readonly bundle: ConsumerBundle;
}

/** From sealed partitions to registered models. */
export class TrainingStack extends Stack {
  readonly pipelines: readonly TrainingPipeline[];
  readonly trigger: PartitionTrigger;

  constructor(scope: Construct, id: string, props: TrainingStackProps) {
    super(scope, id, props);
    const { config, lake, registry, catalog } = props;
    const processingImage = new DockerImageAsset(this, 'ProcessingImage', {
      directory: props.bundle.processingDirectory,
      platform: Platform.LINUX_AMD64,
    });
    this.pipelines = props.useCases.map(
      (useCase) =>
        new TrainingPipeline(this, `Pipeline-${useCase.name}`, {
          ...config.training,
          useCase,
          namePrefix: `telemetry-${config.name}`,
          lake,
          processingImage,
        }),
    );
    this.trigger = new PartitionTrigger(this, 'Trigger', {
      lake,
      catalog,
      registry,
      pipelines: this.pipelines,
      policy: config.training.trigger,
      logRetention: config.operations.logRetention,
    });
    for (const { useCase, pipelineName, modelPackageGroupName } of this.pipelines) {
      new CfnOutput(this, `PipelineName-${useCase.name}`, { value: pipelineName });
      new CfnOutput(this, `ModelPackageGroupName-${useCase.name}`, { value: modelPackageGroupName });
    }
  }
}
