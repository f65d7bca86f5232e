import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, Grant, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { DataConfig } from '../../config/schema';
import {
  ATHENA_RESULTS_PREFIX,
  FEATURES_PREFIX,
  QUARANTINE_PREFIX,
  READINGS_PREFIX,
} from '../../contracts/lake-layout';

export interface PartitionLakeProps extends Pick<DataConfig, 'readingsExpiry' | 'quarantineExpiry' | 'datasetExpiry'> {
  /** What becomes of buckets and key when the stack is deleted. Buckets that hold objects stay either way. */
  readonly removalPolicy: RemovalPolicy;
}

/**
 * The lake bucket (readings, features, quarantine) and the artifact bucket (datasets, models, evaluations), laid out as
 * lib/contracts/lake-layout.ts says, under one key. Readings and features are create-only by bucket policy: no code,
 * however wrong, replaces a published file.
 */
export class PartitionLake extends Construct {
  readonly lakeBucket: Bucket;
  readonly artifactBucket: Bucket;
  readonly key: IKey;

  constructor(scope: Construct, id: string, props: PartitionLakeProps) {
    super(scope, id);
    const { removalPolicy } = props;
    this.key = new Key(this, 'Key', {
      description: 'Telemetry at rest: lake and artifact buckets',
      enableKeyRotation: true,
      removalPolicy,
    });
    const accessLogs = new Bucket(this, 'AccessLogs', {
      // Log delivery cannot write under a customer key.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(90) }],
      removalPolicy,
    });
    const shared = {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      removalPolicy,
    };
    const housekeeping = {
      abortIncompleteMultipartUploadAfter: Duration.days(1),
      noncurrentVersionExpiration: Duration.days(30),
    };

    this.lakeBucket = new Bucket(this, 'Lake', {
      ...shared,
      serverAccessLogsPrefix: 'lake/',
      lifecycleRules: [
        housekeeping,
        { prefix: QUARANTINE_PREFIX, expiration: props.quarantineExpiry },
        ...(props.readingsExpiry ? [{ prefix: READINGS_PREFIX, expiration: props.readingsExpiry }] : []),
      ],
    });
    // On the L1: the L2 property adds a custom resource with a function of its own for this one setting.
    (this.lakeBucket.node.defaultChild as CfnBucket).notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
    this.lakeBucket.addToResourcePolicy(createOnly(this.lakeBucket, [READINGS_PREFIX, FEATURES_PREFIX]));

    this.artifactBucket = new Bucket(this, 'Artifacts', {
      ...shared,
      serverAccessLogsPrefix: 'artifacts/',
      lifecycleRules: [
        housekeeping,
        ...['datasets/', 'training/', 'evaluations/'].map((prefix) => ({ prefix, expiration: props.datasetExpiry })),
        { prefix: ATHENA_RESULTS_PREFIX, expiration: Duration.days(7) },
      ],
    });
  }

  /** What a consumer does: write everywhere in the lake, read back what it folds; never delete. */
  grantConsume(grantee: IGrantable): Grant {
    this.grantUseKey(grantee);
    const prefixes = [READINGS_PREFIX, FEATURES_PREFIX, QUARANTINE_PREFIX];
    return Grant.addToPrincipal({
      grantee,
      actions: ['s3:GetObject', 's3:PutObject'],
      resourceArns: prefixes.map((prefix) => this.lakeBucket.arnForObjects(`${prefix}*`)),
    }).combine(
      // Without it, HEAD on an absent key is 403 instead of 404.
      Grant.addToPrincipal({ grantee, actions: ['s3:ListBucket'], resourceArns: [this.lakeBucket.bucketArn] }),
    );
  }

  /** Read and write objects under the key. S3 asks for data keys only; `grantEncryptDecrypt` would allow more. */
  grantUseKey(grantee: IGrantable): Grant {
    return this.key.grant(grantee, 'kms:Decrypt', 'kms:GenerateDataKey');
  }

  /** Write below a prefix of the artifact bucket. */
  grantPutArtifacts(grantee: IGrantable, prefix: string): Grant {
    this.grantUseKey(grantee);
    return Grant.addToPrincipal({
      grantee,
      actions: ['s3:PutObject'],
      resourceArns: [this.artifactBucket.arnForObjects(`${prefix}*`)],
    });
  }
}

/**
 * Refuses a PUT without `If-None-Match`. A multipart upload is held to it when it completes, hence the second condition.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
function createOnly(bucket: Bucket, prefixes: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'CreateOnly',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: ['s3:PutObject'],
    resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
    conditions: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
  });
}
