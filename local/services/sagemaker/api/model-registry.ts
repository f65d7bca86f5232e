/** Model package groups and packages: the registry and its approvals. */
import { type Arns, nameOf } from '../arns';
import { modelPackageEvent } from '../events';
import { type Input, optionalList, optionalObject, optionalText, requiredText, validation, wireTime } from '../input';
import { listPage } from '../paging';
import type { SageMakerOptions } from '../ports';
import { parseS3Uri } from '../s3-uri';
import type { Table } from '../table';

export interface GroupRecord {
  readonly name: string;
  readonly arn: string;
  readonly description?: string;
  /** Epoch milliseconds. */
  readonly creationTime: number;
  readonly lastVersion: number;
}

export interface PackageRecord {
  readonly arn: string;
  readonly group: string;
  readonly version: number;
  readonly creationTime: number;
  /** DescribeModelPackage's output. */
  readonly description: Readonly<Record<string, unknown>>;
}

const NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
const APPROVALS = ['Approved', 'Rejected', 'PendingManualApproval'];
const MAXIMUM_METADATA = 50;
const MAXIMUM_METADATA_KEY = 128;
const MAXIMUM_METADATA_VALUE = 256;

export class ModelRegistry {
  constructor(
    private readonly options: SageMakerOptions,
    private readonly arns: Arns,
    private readonly groups: Table<GroupRecord>,
    private readonly packages: Table<PackageRecord>,
  ) {}

  async createGroup(input: Input): Promise<unknown> {
    const name = requiredText(input, 'ModelPackageGroupName', { pattern: NAME });
    const existing = this.groups.get(name);
    if (existing) throw validation(`Model Package Group already exists: ${existing.arn}`);
    const record: GroupRecord = {
      name,
      arn: this.arns.modelPackageGroup(name),
      description: optionalText(input, 'ModelPackageGroupDescription', { maximum: 1024 }),
      creationTime: this.options.clock.now(),
      lastVersion: 0,
    };
    await this.groups.put(name, record);
    return { ModelPackageGroupArn: record.arn };
  }

  describeGroup(input: Input): unknown {
    return wireGroup(this.findGroup(requiredText(input, 'ModelPackageGroupName')));
  }

  listGroups(input: Input): unknown {
    const { page, NextToken } = listPage(this.groups.values(), input, (row) => row);
    return { ModelPackageGroupSummaryList: page.map(wireGroup), NextToken };
  }

  async deleteGroup(input: Input): Promise<unknown> {
    const group = this.findGroup(requiredText(input, 'ModelPackageGroupName'));
    if (this.packages.values().some((row) => row.group === group.name)) {
      throw validation(`Model Package Group ${group.name} cannot be deleted: it still holds model packages`);
    }
    await this.groups.delete(group.name);
    return {};
  }

  /** @throws AwsError ValidationException, also for a group or model data that does not exist. */
  async createPackage(input: Input, roleArn: string): Promise<unknown> {
    const group = this.findGroup(requiredText(input, 'ModelPackageGroupName'));
    const approval = optionalText(input, 'ModelApprovalStatus', { oneOf: APPROVALS }) ?? 'PendingManualApproval';
    checkMetadata(input);
    await this.checkModelData(input, roleArn);
    const current = this.findGroup(group.name);
    const version = current.lastVersion + 1;
    const arn = this.arns.modelPackage(group.name, version);
    const creationTime = this.options.clock.now();
    const record: PackageRecord = {
      arn,
      group: group.name,
      version,
      creationTime,
      description: {
        ...input,
        ClientToken: undefined,
        Tags: undefined,
        ModelPackageArn: arn,
        ModelPackageGroupName: group.name,
        ModelPackageVersion: version,
        ModelPackageStatus: 'Completed',
        ModelPackageStatusDetails: { ValidationStatuses: [], ImageScanStatuses: [] },
        ModelApprovalStatus: approval,
        CreationTime: wireTime(creationTime),
        LastModifiedTime: wireTime(creationTime),
      },
    };
    void this.groups.put(group.name, { ...current, lastVersion: version });
    await this.packages.put(arn, record);
    this.options.emit(modelPackageEvent(record.description));
    return { ModelPackageArn: arn };
  }

  /** For the RegisterModel step: creates and describes. */
  async register(request: Input, roleArn: string): Promise<Record<string, unknown>> {
    const { ModelPackageArn } = (await this.createPackage(request, roleArn)) as { ModelPackageArn: string };
    return { ...this.packages.get(ModelPackageArn)!.description };
  }

  describePackage(input: Input): unknown {
    return this.findPackage(requiredText(input, 'ModelPackageName')).description;
  }

  listPackages(input: Input): unknown {
    const group = optionalText(input, 'ModelPackageGroupName');
    const approval = optionalText(input, 'ModelApprovalStatus', { oneOf: APPROVALS });
    const rows = this.packages
      .values()
      .filter(
        (row) =>
          (group === undefined || row.group === nameOf(group)) &&
          (approval === undefined || row.description.ModelApprovalStatus === approval),
      );
    const { page, NextToken } = listPage(rows, input, (row) => ({ name: row.arn, creationTime: row.creationTime }));
    const ModelPackageSummaryList = page.map(({ description }) => ({
      ModelPackageArn: description.ModelPackageArn,
      ModelPackageGroupName: description.ModelPackageGroupName,
      ModelPackageVersion: description.ModelPackageVersion,
      ModelPackageDescription: description.ModelPackageDescription,
      ModelPackageStatus: description.ModelPackageStatus,
      ModelApprovalStatus: description.ModelApprovalStatus,
      CreationTime: description.CreationTime,
    }));
    return { ModelPackageSummaryList, NextToken };
  }

  async updatePackage(input: Input): Promise<unknown> {
    const record = this.findPackage(requiredText(input, 'ModelPackageArn'));
    const approval = optionalText(input, 'ModelApprovalStatus', { oneOf: APPROVALS });
    checkMetadata(input);
    const metadata: Record<string, unknown> = {
      ...(record.description.CustomerMetadataProperties as Input | undefined),
      ...optionalObject(input, 'CustomerMetadataProperties'),
    };
    for (const key of optionalList(input, 'CustomerMetadataPropertiesToRemove') ?? []) delete metadata[String(key)];
    const description = {
      ...record.description,
      ...(approval === undefined ? {} : { ModelApprovalStatus: approval }),
      ...(Object.keys(metadata).length > 0 ? { CustomerMetadataProperties: metadata } : {}),
      ApprovalDescription:
        optionalText(input, 'ApprovalDescription', { maximum: 1024 }) ?? record.description.ApprovalDescription,
      LastModifiedTime: wireTime(this.options.clock.now()),
    };
    await this.packages.put(record.arn, { ...record, description });
    this.options.emit(modelPackageEvent(description));
    return { ModelPackageArn: record.arn };
  }

  async deletePackage(input: Input): Promise<unknown> {
    const record = this.findPackage(requiredText(input, 'ModelPackageName'));
    await this.packages.delete(record.arn);
    return {};
  }

  private findGroup(nameOrArn: string): GroupRecord {
    const record = this.groups.get(nameOf(nameOrArn));
    if (!record) throw validation(`ModelPackageGroup ${nameOf(nameOrArn)} does not exist.`);
    return record;
  }

  private findPackage(arn: string): PackageRecord {
    const record = this.packages.get(arn);
    if (!record) throw validation(`ModelPackage ${arn} does not exist.`);
    return record;
  }

  private async checkModelData(input: Input, roleArn: string): Promise<void> {
    const containers = optionalList(optionalObject(input, 'InferenceSpecification') ?? {}, 'Containers') ?? [];
    for (const container of containers as readonly Input[]) {
      requiredText(container, 'Image', { maximum: 255 });
      const url = optionalText(container, 'ModelDataUrl');
      if (url === undefined) continue;
      const { bucket, key } = parseS3Uri(url);
      if (!(await this.options.s3.list(bucket, key, roleArn)).includes(key)) {
        throw validation(`Could not find model data at ${url}.`);
      }
    }
  }
}

function checkMetadata(input: Input): void {
  const metadata = optionalObject(input, 'CustomerMetadataProperties') ?? {};
  if (Object.keys(metadata).length > MAXIMUM_METADATA) {
    throw validation(
      `CustomerMetadataProperties has ${Object.keys(metadata).length} entries; at most ${MAXIMUM_METADATA} are allowed`,
    );
  }
  for (const key of Object.keys(metadata)) {
    if (key.length > MAXIMUM_METADATA_KEY)
      throw validation(
        `CustomerMetadataProperties: a key has ${key.length} characters; at most ${MAXIMUM_METADATA_KEY} are allowed`,
      );
    requiredText(metadata, key, { minimum: 1, maximum: MAXIMUM_METADATA_VALUE });
  }
}

function wireGroup(record: GroupRecord): Record<string, unknown> {
  return {
    ModelPackageGroupName: record.name,
    ModelPackageGroupArn: record.arn,
    ModelPackageGroupDescription: record.description,
    ModelPackageGroupStatus: 'Completed',
    CreationTime: wireTime(record.creationTime),
  };
}
