import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import {
  REGISTRY_PK,
  REGISTRY_SK,
  UNFOLDED_INDEX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
} from '../../contracts/registry';

export interface PartitionRegistryProps {
  readonly deletionProtection: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/** The table of lib/contracts/registry.ts: what is committed, frozen and sealed. */
export class PartitionRegistry extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, props: PartitionRegistryProps) {
    super(scope, id);
    this.table = new Table(this, 'Resource', {
      partitionKey: { name: REGISTRY_PK, type: AttributeType.STRING },
      sortKey: { name: REGISTRY_SK, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.deletionProtection,
      removalPolicy: props.removalPolicy,
    });
    this.table.addGlobalSecondaryIndex({
      indexName: UNFOLDED_INDEX,
      partitionKey: { name: UNFOLDED_INDEX_HASH, type: AttributeType.STRING },
      sortKey: { name: UNFOLDED_INDEX_RANGE, type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
  }

  /** What a consumer does: append, freeze, fold and seal. */
  grantConsume(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: [
        'dynamodb:BatchGetItem',
        'dynamodb:DeleteItem',
        'dynamodb:GetItem',
        'dynamodb:PutItem',
        'dynamodb:Query',
        'dynamodb:UpdateItem',
      ],
      resourceArns: [this.table.tableArn, `${this.table.tableArn}/index/${UNFOLDED_INDEX}`],
    });
  }

  /** What the partition trigger does: read partitions, keep its own item per use case. */
  grantTrigger(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:UpdateItem'],
      resourceArns: [this.table.tableArn],
    });
  }

  metricThrottled(): IMetric {
    return throttled(this.table, 'registry');
  }
}

/** Throttled reads and writes of a table, in five minutes. `name` tells tables apart in one graph. */
export function throttled(table: Table, name: string): IMetric {
  const events = (kind: 'Read' | 'Write'): IMetric =>
    table.metric(`${kind}ThrottleEvents`, { statistic: Stats.SUM, period: Duration.minutes(5) });
  return new MathExpression({
    label: `${name}: throttled`,
    expression: `FILL(${name}Reads, 0) + FILL(${name}Writes, 0)`,
    usingMetrics: { [`${name}Reads`]: events('Read'), [`${name}Writes`]: events('Write') },
    period: Duration.minutes(5),
  });
}
