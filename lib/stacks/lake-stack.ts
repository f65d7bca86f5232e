import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { UseCase } from '../../use-cases/define-use-case';
import { LakeCatalog } from '../constructs/lake/lake-catalog';
import { PartitionLake } from '../constructs/lake/partition-lake';
import { PartitionRegistry } from '../constructs/lake/partition-registry';
import { dataRemovalPolicy, type PipelineStackProps } from './stack-props';

export interface LakeStackProps extends PipelineStackProps {
  readonly useCases: readonly UseCase[];
}

/** Readings, features and models at rest, and the truth about them. */
export class LakeStack extends Stack {
  readonly lake: PartitionLake;
  readonly registry: PartitionRegistry;
  readonly catalog: LakeCatalog;

  constructor(scope: Construct, id: string, props: LakeStackProps) {
    const { config, useCases } = props;
    super(scope, id, { ...props, terminationProtection: config.data.deletionProtection });
    const removalPolicy = dataRemovalPolicy(config);
    this.lake = new PartitionLake(this, 'Lake', { ...config.data, removalPolicy });
    this.registry = new PartitionRegistry(this, 'Registry', {
      deletionProtection: config.data.deletionProtection,
      removalPolicy,
    });
    this.catalog = new LakeCatalog(this, 'Catalog', {
      lake: this.lake,
      useCases,
      databaseName: `telemetry_${config.name}`,
      removalPolicy,
    });
    new CfnOutput(this, 'LakeBucketName', { value: this.lake.lakeBucket.bucketName });
    new CfnOutput(this, 'ArtifactBucketName', { value: this.lake.artifactBucket.bucketName });
    new CfnOutput(this, 'RegistryTableName', { value: this.registry.table.tableName });
    new CfnOutput(this, 'GlueDatabaseName', { value: this.catalog.database.databaseName });
    new CfnOutput(this, 'AthenaWorkGroupName', { value: this.catalog.workGroup.ref });
  }
}
