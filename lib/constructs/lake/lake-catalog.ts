import { RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import {
  Database,
  DataFormat,
  PartitionProjectionConfiguration,
  S3Table,
  S3TableStorage,
  Schema,
  type Type,
} from 'aws-cdk-lib/aws-glue';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { type Column, featureColumns, readingColumns } from '../../../use-cases/columns';
import type { UseCase } from '../../../use-cases/define-use-case';
import { ATHENA_RESULTS_PREFIX, FEATURES_PREFIX, READINGS_PREFIX } from '../../contracts/lake-layout';
import type { PartitionLake } from './partition-lake';

export interface LakeCatalogProps {
  readonly lake: PartitionLake;
  readonly useCases: readonly UseCase[];
  /** Name of the Glue database, which people type in Athena, and of the workgroup. */
  readonly databaseName: string;
  readonly removalPolicy: RemovalPolicy;
}

const PARTITION_KEYS = [
  { name: 'dt', type: Schema.STRING, comment: 'Event day, YYYY-MM-DD, UTC' },
  { name: 'hour', type: Schema.STRING, comment: 'Event hour, 00 to 23, UTC' },
];

/** What one query may read, so that a forgotten partition filter costs no more than half a dollar. */
const SCAN_LIMIT = Size.gibibytes(100);

/**
 * A Glue database with two tables per use case: raw readings, and the features of the newest sealed generations; and the
 * Athena workgroup to query them in.
 */
export class LakeCatalog extends Construct {
  readonly database: Database;
  readonly workGroup: CfnWorkGroup;
  private readonly featureTables = new Map<string, S3Table>();

  constructor(scope: Construct, id: string, props: LakeCatalogProps) {
    super(scope, id);
    this.database = new Database(this, 'Database', {
      databaseName: props.databaseName,
      description: 'Device telemetry: readings and features',
      removalPolicy: props.removalPolicy,
    });
    const { artifactBucket, key } = props.lake;
    this.workGroup = new CfnWorkGroup(this, 'WorkGroup', {
      name: props.databaseName,
      description: 'Queries of device telemetry',
      recursiveDeleteOption: props.removalPolicy === RemovalPolicy.DESTROY,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: SCAN_LIMIT.toBytes(),
        resultConfiguration: {
          outputLocation: artifactBucket.s3UrlForObject(ATHENA_RESULTS_PREFIX),
          encryptionConfiguration: { encryptionOption: 'SSE_KMS', kmsKey: key.keyArn },
        },
      },
    });
    const shared = {
      database: this.database,
      storage: S3TableStorage.fromBucket(props.lake.lakeBucket),
      dataFormat: DataFormat.PARQUET,
      partitionKeys: PARTITION_KEYS,
    };

    for (const useCase of props.useCases) {
      new S3Table(this, `Readings-${useCase.name}`, {
        ...shared,
        tableName: tableName('readings', useCase),
        description: `${useCase.title}: readings as they arrived, duplicates included`,
        s3Prefix: `${READINGS_PREFIX}${useCase.name}/`,
        columns: readingColumns(useCase).map(glueColumn),
        // Segments appear in any hour at any time: computed partitions spare their registration.
        partitionProjection: {
          dt: PartitionProjectionConfiguration.date({ min: '2010-01-01', max: 'NOW+1DAYS', format: 'yyyy-MM-dd' }),
          hour: PartitionProjectionConfiguration.integer({ min: 0, max: 23, digits: 2 }),
        },
      });
      this.featureTables.set(
        useCase.name,
        // No projection: Athena ignores registered partitions where it is on, and only they know the generation.
        new S3Table(this, `Features-${useCase.name}`, {
          ...shared,
          tableName: tableName('features', useCase),
          description: `${useCase.title}: features, one row per device and window`,
          s3Prefix: `${FEATURES_PREFIX}${useCase.name}/`,
          columns: featureColumns(useCase).map(glueColumn),
        }),
      );
    }
  }

  /** Table of a use case's features; its partitions are registered one by one. */
  featureTable(useCase: UseCase): S3Table {
    const table = this.featureTables.get(useCase.name);
    if (!table) throw new Error(`the catalog has no features table for use case ${useCase.name}`);
    return table;
  }

  /** Read and write partitions of the features tables. */
  grantRegisterPartitions(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['glue:CreatePartition', 'glue:GetPartition', 'glue:GetTable', 'glue:UpdatePartition'],
      // Glue checks a table's database and catalog too.
      resourceArns: [
        Stack.of(this).formatArn({ service: 'glue', resource: 'catalog' }),
        this.database.databaseArn,
        ...[...this.featureTables.values()].map((table) => table.tableArn),
      ],
    });
  }
}

const GLUE_TYPES: Record<Column['glueType'], Type> = {
  string: Schema.STRING,
  timestamp: Schema.TIMESTAMP,
  int: Schema.INTEGER,
  double: Schema.DOUBLE,
};

function glueColumn(column: Column): { name: string; type: Type; comment: string } {
  return { name: column.name, type: GLUE_TYPES[column.glueType], comment: column.comment };
}

/** Athena names take no hyphen without quotes. */
function tableName(kind: 'readings' | 'features', useCase: UseCase): string {
  return `${kind}_${useCase.name.replaceAll('-', '_')}`;
}
