import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { ConsumerBundle } from '../constructs/compute/consumer-bundle';
import type { IsolatedNetwork } from '../constructs/compute/isolated-network';
import { KclService } from '../constructs/compute/kcl-service';
import { LeaseTable } from '../constructs/compute/lease-table';
import type { PartitionLake } from '../constructs/lake/partition-lake';
import type { PartitionRegistry } from '../constructs/lake/partition-registry';
import type { TelemetryStream } from '../constructs/stream/telemetry-stream';
import { dataRemovalPolicy, type PipelineStackProps } from './stack-props';

export interface ConsumerStackProps extends PipelineStackProps {
  readonly network: IsolatedNetwork;
  readonly stream: TelemetryStream;
  readonly lake: PartitionLake;
  readonly registry: PartitionRegistry;
  readonly bundle: ConsumerBundle;
}

/** From the stream to the lake. */
export class ConsumerStack extends Stack {
  readonly leases: LeaseTable;
  readonly consumer: KclService;

  constructor(scope: Construct, id: string, props: ConsumerStackProps) {
    const { config } = props;
    super(scope, id, { ...props, terminationProtection: config.data.deletionProtection });
    this.leases = new LeaseTable(this, 'Leases', {
      deletionProtection: config.data.deletionProtection,
      removalPolicy: dataRemovalPolicy(config),
    });
    this.consumer = new KclService(this, 'Consumer', {
      ...config.consumer,
      network: props.network,
      stream: props.stream,
      leases: this.leases,
      lake: props.lake,
      registry: props.registry,
      bundle: props.bundle,
      metricsNamespace: `Telemetry/${config.name}`,
      logRetention: config.operations.logRetention,
    });
    new CfnOutput(this, 'LeaseTableName', { value: this.leases.table.tableName });
    new CfnOutput(this, 'ClusterName', { value: this.consumer.cluster.clusterName });
    new CfnOutput(this, 'ServiceName', { value: this.consumer.service.serviceName });
  }
}
