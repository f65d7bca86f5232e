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
/**
 * What the names of the two further tables end with that KCL 3.0 to 3.4 made beside the lease table. They are there where Java workers
 * share it, and a worker looks for them when it starts.
 */
const WORKER_METRICS = 'WorkerMetricStats';
const COORDINATOR_STATE = 'CoordinatorState';

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

  /** What a worker calls on existing tables; it makes none. */
  grantWorker(grantee: IGrantable): Grant {
    const allow = (resourceArn: string, ...actions: string[]): Grant =>
      Grant.addToPrincipal({
        grantee,
        actions: actions.map((action) => `dynamodb:${action}`),
        resourceArns: [resourceArn],
      });
    const { tableArn } = this.table;
    return allow(tableArn, 'DeleteItem', 'DescribeTable', 'GetItem', 'PutItem', 'Scan', 'UpdateItem')
      .combine(allow(`${tableArn}/index/${OWNER_INDEX}`, 'Query'))
      .combine(allow(`${tableArn}-${WORKER_METRICS}`, 'DeleteItem', 'DescribeTable', 'Scan', 'UpdateItem'))
      .combine(allow(`${tableArn}-${COORDINATOR_STATE}`, 'DescribeTable', 'GetItem', 'PutItem', 'Scan', 'UpdateItem'));
  }

  metricThrottled(): IMetric {
    return throttled(this.table, 'leases');
  }
}
