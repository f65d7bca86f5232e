import { ArnFormat, Stack } from 'aws-cdk-lib';
import type { DockerImageAsset } from 'aws-cdk-lib/aws-ecr-assets';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { FEATURES_PREFIX } from '../../contracts/lake-layout';
import type { PartitionLake } from '../lake/partition-lake';
import { XGBOOST_REPOSITORY, xgboostRegistryAccount } from './xgboost-image';

export interface TrainingRoleProps {
  /** Name of the use case: the prefixes that its jobs may touch. */
  readonly useCase: string;
  readonly lake: PartitionLake;
  readonly processingImage: DockerImageAsset;
  readonly modelPackageGroupName: string;
}

/** Role of a use case's pipeline and of the jobs that it starts. */
export class TrainingRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, props: TrainingRoleProps) {
    super(scope, id);
    const { useCase, lake } = props;
    const stack = Stack.of(this);
    this.role = new Role(this, 'Resource', {
      description: `SageMaker pipeline of ${useCase} and its jobs`,
      assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
      }),
    });
    const allow = (sid: string, actions: string[], resources: string[], conditions?: Record<string, object>): void => {
      this.role.addToPrincipalPolicy(new PolicyStatement({ sid, actions, resources, conditions }));
    };
    const sagemaker = (resource: string, resourceName: string): string =>
      stack.formatArn({ service: 'sagemaker', resource, resourceName, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });

    const jobs = ['ProcessingJob', 'TrainingJob'];
    allow(
      'Jobs',
      [
        ...jobs.flatMap((job) => ['Create', 'Describe', 'Stop'].map((verb) => `sagemaker:${verb}${job}`)),
        'sagemaker:AddTags',
      ],
      // Pipelines names its jobs `pipelines-<execution>-<step>-<suffix>`.
      [sagemaker('processing-job', 'pipelines-*'), sagemaker('training-job', 'pipelines-*')],
    );
    allow(
      'Models',
      ['sagemaker:AddTags', 'sagemaker:CreateModelPackage', 'sagemaker:DescribeModelPackage'],
      [
        sagemaker('model-package-group', props.modelPackageGroupName),
        sagemaker('model-package', `${props.modelPackageGroupName}/*`),
      ],
    );
    allow('PassToJobs', ['iam:PassRole'], [this.role.roleArn], {
      StringEquals: { 'iam:PassedToService': 'sagemaker.amazonaws.com' },
    });

    const artifacts = (...prefixes: string[]): string[] =>
      prefixes.map((prefix) => lake.artifactBucket.arnForObjects(`${prefix}/${useCase}/*`));
    allow('ReadFeatures', ['s3:GetObject'], [lake.lakeBucket.arnForObjects(`${FEATURES_PREFIX}${useCase}/*`)]);
    allow('ReadArtifacts', ['s3:GetObject'], artifacts('datasets', 'training', 'models', 'evaluations'));
    allow(
      'WriteArtifacts',
      ['s3:PutObject', 's3:AbortMultipartUpload'],
      artifacts('training', 'models', 'evaluations'),
    );
    allow('List', ['s3:ListBucket'], [lake.lakeBucket.bucketArn, lake.artifactBucket.bucketArn]);
    // CreateGrant: SageMaker attaches the jobs' encrypted volumes by a grant.
    lake.grantUseKey(this.role);
    allow('Volumes', ['kms:CreateGrant'], [lake.key.keyArn], { Bool: { 'kms:GrantIsForAWSResource': 'true' } });
    allow('DescribeKey', ['kms:DescribeKey'], [lake.key.keyArn]);

    props.processingImage.repository.grantPull(this.role);
    allow(
      'PullXgboost',
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      [
        stack.formatArn({
          service: 'ecr',
          account: xgboostRegistryAccount(this),
          resource: 'repository',
          resourceName: XGBOOST_REPOSITORY,
        }),
      ],
    );
    allow(
      'Logs',
      ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      ['ProcessingJobs', 'TrainingJobs'].map((kind) =>
        stack.formatArn({
          service: 'logs',
          resource: 'log-group',
          resourceName: `/aws/sagemaker/${kind}:*`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ),
    );
    // PutMetricData knows no resources; the namespaces are SageMaker's own.
    allow('JobMetrics', ['cloudwatch:PutMetricData'], ['*'], {
      StringLike: { 'cloudwatch:namespace': '/aws/sagemaker/*' },
    });
  }
}
