import { Stage, type StageProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { UseCase } from '../../use-cases/define-use-case';
import type { EnvironmentConfig } from '../config/schema';
import type { ConsumerBundle } from '../constructs/compute/consumer-bundle';
import { ConsumerStack } from './consumer-stack';
import { IngestStack } from './ingest-stack';
import { IotAccountStack } from './iot-account-stack';
import { LakeStack } from './lake-stack';
import { NetworkStack } from './network-stack';
import { ObservabilityStack } from './observability-stack';
import { StreamStack } from './stream-stack';
import { TrainingStack } from './training-stack';

export interface PipelineStageProps extends StageProps {
  readonly config: EnvironmentConfig;
  readonly useCases: readonly UseCase[];
  readonly bundle: ConsumerBundle;
}

/** The whole pipeline of one environment, in stacks that change for different reasons. */
export class PipelineStage extends Stage {
  readonly network: NetworkStack;
  readonly stream: StreamStack;
  readonly lake: LakeStack;
  readonly ingest: IngestStack;
  readonly consumer: ConsumerStack;
  readonly training: TrainingStack;
  readonly observability: ObservabilityStack;
  /** Where the environment owns the account's settings. */
  readonly iotAccount?: IotAccountStack;

  constructor(scope: Construct, id: string, props: PipelineStageProps) {
    super(scope, id, { ...props, env: props.config.target });
    const { config, useCases, bundle } = props;
    if (config.iotAccount)
      this.iotAccount = new IotAccountStack(this, 'IotAccount', { config, settings: config.iotAccount });
    this.network = new NetworkStack(this, 'Network', { config });
    this.stream = new StreamStack(this, 'Stream', { config });
    this.lake = new LakeStack(this, 'Lake', { config, useCases });
    const { stream } = this.stream;
    const { lake, registry, catalog } = this.lake;
    this.ingest = new IngestStack(this, 'Ingest', { config, useCases, stream });
    this.consumer = new ConsumerStack(this, 'Consumer', {
      config,
      network: this.network.network,
      stream,
      lake,
      registry,
      bundle,
    });
    this.training = new TrainingStack(this, 'Training', { config, useCases, lake, registry, catalog, bundle });
    this.observability = new ObservabilityStack(this, 'Observability', {
      config,
      parts: {
        rules: this.ingest.rules,
        errorRedrive: this.ingest.errorRedrive,
        stream,
        consumer: this.consumer.consumer,
        leases: this.consumer.leases,
        registry,
        trigger: this.training.trigger,
        pipelines: this.training.pipelines,
      },
    });
  }
}
