/** Findings of the AwsSolutions pack that stay, each with the reason. Whatever is not listed fails the synthesis. */

export interface Acknowledgement {
  /** Rule of the pack, without its name. */
  readonly rule: string;
  /** Path of the resource below the stage. */
  readonly resource: RegExp;
  /**
   * Detail of the finding, as cdk-nag gives it in square brackets.
   * @default - the rule gives none
   */
  readonly finding?: RegExp;
  readonly reason: string;
}

export const acknowledgements: readonly Acknowledgement[] = [
  {
    rule: 'KDS3',
    resource: /^Stream\/Telemetry\/Resource\/Resource$/,
    reason:
      'The rule prefers the AWS-managed key for its price. Telemetry has a customer key: its policy can be narrowed and its use is logged.',
  },
  {
    rule: 'ECS2',
    resource: /^Consumer\/Consumer\/Task\/Resource$/,
    reason: 'The environment holds names, durations and sizes, no secret; the task role is the only credential.',
  },
  {
    rule: 'IAM5',
    resource: /^Consumer\/Consumer\/Task\/TaskRole\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*\/(readings|features|quarantine)\/\*$/,
    reason: 'Object keys below the three prefixes of the lake that the consumer writes and folds.',
  },
  {
    rule: 'IAM5',
    resource:
      /^(Consumer\/Consumer\/Task\/ExecutionRole|Training\/Pipeline-[^/]+\/Role\/Resource)\/DefaultPolicy\/Resource$/,
    finding: /^Resource::\*$/,
    reason:
      'ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resources; the latter is held to the namespaces of SageMaker by a condition.',
  },
  {
    rule: 'IAM5',
    resource: /^Training\/Pipeline-[^/]+\/Role\/Resource\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*\/(features|datasets|training|models|evaluations)\/[a-z0-9-]+\/\*$/,
    reason: "Object keys below the use case's own prefixes.",
  },
  {
    rule: 'IAM5',
    resource: /^Training\/Pipeline-[^/]+\/Role\/Resource\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*:((processing|training)-job\/pipelines-\*|model-package\/[a-z0-9-]+\/\*)$/,
    reason: 'SageMaker Pipelines names its jobs, and numbers the versions in the model package group.',
  },
  {
    rule: 'IAM5',
    resource: /^Training\/Pipeline-[^/]+\/Role\/Resource\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*:log-group:\/aws\/sagemaker\/(Processing|Training)Jobs:\*$/,
    reason: 'Log streams are named after the jobs, in the two groups that SageMaker writes to.',
  },
  {
    rule: 'IAM5',
    resource: /^Training\/Trigger\/FunctionRole\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*\/datasets\/\*$/,
    reason: 'Object keys below the prefix of the dataset manifests.',
  },
  {
    rule: 'IAM4',
    resource: /^Ingest\/Provisioning\/Role\/Resource$/,
    finding: /AWSIoTThingsRegistration$/,
    reason: 'What a provisioning template may do is for AWS IoT to say; the hook decides for whom.',
  },
  {
    rule: 'IAM5',
    resource: /^Ingest\/Provisioning\/HookRole\/DefaultPolicy\/Resource$/,
    finding: /^Resource::.*:thing\/\*$/,
    reason: 'Any thing may be asked for; it is only looked at.',
  },
  {
    rule: 'IAM4',
    resource: /^IotAccount\/Settings\/AuditRole\/Resource$/,
    finding: /AWSIoTDeviceDefenderAudit$/,
    reason: 'What an audit reads grows with its checks; AWS keeps the policy up to date, and it reads only.',
  },
];
