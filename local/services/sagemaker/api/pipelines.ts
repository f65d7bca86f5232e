/** CreatePipeline, UpdatePipeline, DescribePipeline, ListPipelines, DeletePipeline. */
import { type Arns, nameOf } from '../arns';
import {
  type Input,
  notFound,
  optionalNumber,
  optionalObject,
  optionalText,
  requiredText,
  validation,
  wireTime,
} from '../input';
import { listPage } from '../paging';
import { definitionProblems } from '../pipeline/check-definition';
import type { SageMakerOptions } from '../ports';
import type { Table } from '../table';

export interface PipelineRecord {
  readonly name: string;
  readonly arn: string;
  readonly displayName: string;
  readonly description?: string;
  readonly roleArn: string;
  readonly definition: string;
  readonly maxParallelSteps?: number;
  /** Epoch milliseconds. */
  readonly creationTime: number;
  readonly lastModifiedTime: number;
  readonly lastRunTime?: number;
}

const NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}$/;
const MAXIMUM_DEFINITION = 1_048_576;

export class Pipelines {
  constructor(
    private readonly options: SageMakerOptions,
    private readonly arns: Arns,
    private readonly records: Table<PipelineRecord>,
  ) {}

  /** By name or ARN. @throws AwsError ResourceNotFound */
  find(nameOrArn: string): PipelineRecord {
    const name = nameOf(nameOrArn).toLowerCase();
    const record = this.records.values().find((pipeline) => pipeline.name.toLowerCase() === name);
    if (!record) throw notFound(`Pipeline '${nameOf(nameOrArn)}' does not exist.`);
    return record;
  }

  async create(input: Input): Promise<unknown> {
    const name = requiredText(input, 'PipelineName', { maximum: 256, pattern: NAME });
    requiredText(input, 'ClientRequestToken', { minimum: 32, maximum: 128 });
    const existing = this.records.values().find((pipeline) => pipeline.name.toLowerCase() === name.toLowerCase());
    if (existing) {
      throw validation(
        `Pipeline names must be unique within an AWS account and region. Pipeline with name (${existing.name}) already exists.`,
      );
    }
    const now = this.options.clock.now();
    const record: PipelineRecord = {
      name,
      arn: this.arns.pipeline(name),
      displayName: optionalText(input, 'PipelineDisplayName', { maximum: 256 }) ?? name,
      description: optionalText(input, 'PipelineDescription', { maximum: 3072 }),
      roleArn: requiredText(input, 'RoleArn', { minimum: 20, maximum: 2048 }),
      definition: await this.readDefinition(input),
      maxParallelSteps: maxParallelSteps(input),
      creationTime: now,
      lastModifiedTime: now,
    };
    await this.records.put(name, record);
    return { PipelineArn: record.arn };
  }

  async update(input: Input): Promise<unknown> {
    const record = this.find(requiredText(input, 'PipelineName'));
    const redefined = input.PipelineDefinition !== undefined || input.PipelineDefinitionS3Location !== undefined;
    const definition = redefined ? await this.readDefinition(input) : record.definition;
    await this.records.put(record.name, {
      ...record,
      displayName: optionalText(input, 'PipelineDisplayName', { maximum: 256 }) ?? record.displayName,
      description: optionalText(input, 'PipelineDescription', { maximum: 3072 }) ?? record.description,
      roleArn: optionalText(input, 'RoleArn', { minimum: 20, maximum: 2048 }) ?? record.roleArn,
      definition,
      maxParallelSteps: maxParallelSteps(input) ?? record.maxParallelSteps,
      lastModifiedTime: this.options.clock.now(),
    });
    return { PipelineArn: record.arn };
  }

  describe(input: Input): unknown {
    const record = this.find(requiredText(input, 'PipelineName'));
    return {
      PipelineArn: record.arn,
      PipelineName: record.name,
      PipelineDisplayName: record.displayName,
      PipelineDescription: record.description,
      PipelineDefinition: record.definition,
      RoleArn: record.roleArn,
      PipelineStatus: 'Active',
      CreationTime: wireTime(record.creationTime),
      LastModifiedTime: wireTime(record.lastModifiedTime),
      LastRunTime: wireTime(record.lastRunTime),
      ...(record.maxParallelSteps
        ? { ParallelismConfiguration: { MaxParallelExecutionSteps: record.maxParallelSteps } }
        : {}),
    };
  }

  list(input: Input): unknown {
    const prefix = optionalText(input, 'PipelineNamePrefix') ?? '';
    const rows = this.records.values().filter(({ name }) => name.startsWith(prefix));
    const { page, NextToken } = listPage(rows, input, (row) => ({ name: row.name, creationTime: row.creationTime }));
    return {
      PipelineSummaries: page.map((row) => ({
        PipelineArn: row.arn,
        PipelineName: row.name,
        PipelineDisplayName: row.displayName,
        PipelineDescription: row.description,
        RoleArn: row.roleArn,
        CreationTime: wireTime(row.creationTime),
        LastModifiedTime: wireTime(row.lastModifiedTime),
        LastExecutionTime: wireTime(row.lastRunTime),
      })),
      NextToken,
    };
  }

  async delete(input: Input): Promise<unknown> {
    const record = this.find(requiredText(input, 'PipelineName'));
    await this.records.delete(record.name);
    return { PipelineArn: record.arn };
  }

  markRun(record: PipelineRecord, time: number): Promise<void> {
    return this.records.put(record.name, { ...record, lastRunTime: time });
  }

  /** @throws AwsError ValidationException with every problem of the definition. */
  private async readDefinition(input: Input): Promise<string> {
    const location = optionalObject(input, 'PipelineDefinitionS3Location');
    const text = location
      ? await this.fetchDefinition(location, requiredText(input, 'RoleArn'))
      : requiredText(input, 'PipelineDefinition', { minimum: 1, maximum: MAXIMUM_DEFINITION });
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (error) {
      throw validation(`Unable to parse pipeline definition: ${(error as Error).message}`);
    }
    const problems = definitionProblems(document);
    if (problems.length > 0) throw validation(`Unable to parse pipeline definition: ${problems.join('; ')}`);
    return text;
  }

  private async fetchDefinition(location: Input, roleArn: string): Promise<string> {
    const body = await this.options.s3.get(
      requiredText(location, 'Bucket'),
      requiredText(location, 'ObjectKey'),
      roleArn,
    );
    return Buffer.from(body).toString('utf8');
  }
}

export function maxParallelSteps(input: Input): number | undefined {
  const configuration = optionalObject(input, 'ParallelismConfiguration');
  return configuration && optionalNumber(configuration, 'MaxParallelExecutionSteps', 1, 10_000);
}
