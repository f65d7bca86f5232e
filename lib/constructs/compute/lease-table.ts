import type { RemovalPolicy } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { AttributeType, BillingMode, ProjectionType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { throttled } from '../lake/partition-registry';

/** KCL's names; the index is what a worker finds its own leases by. */
const LEASE_KEY = 'leaseKey';
const LEASE_OWNER = 'leaseOwner';
const OWNER_INDEX = 'LeaseOwnerToLeaseKeyIndex';

export interface LeaseTableProps {
  readonly deletionProtection: boolean;
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The lease table of KCL 3.5: leases, worker metrics and coordinator state in one table, told apart by `entityType`.
 * Made here, index included, so that workers need no right to create tables and never wait for an index to fill.
 */
export class LeaseTable extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, props: LeaseTableProps) {
    super(scope, id);
    this.table = new Table(this, 'Resource', {
      partitionKey: { name: LEASE_KEY, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.deletionProtection,
      removalPolicy: props.removalPolicy,
    });
    this.table.addGlobalSecondaryIndex({
      indexName: OWNER_INDEX,
      partitionKey: { name: LEASE_OWNER, type: AttributeType.STRING },
      sortKey: { name: LEASE_KEY, type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
  }

  /** What a KCL worker calls on an existing table. */
  grantWorker(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: [
        'dynamodb:DeleteItem',
        'dynamodb:DescribeTable',
        'dynamodb:GetItem',
        'dynamodb:PutItem',
        'dynamodb:Query',
        'dynamodb:Scan',
        'dynamodb:UpdateItem',
      ],
      resourceArns: [this.table.tableArn, `${this.table.tableArn}/index/${OWNER_INDEX}`],
    });
  }

  metricThrottled(): IMetric {
    return throttled(this.table, 'leases');
  }
}
