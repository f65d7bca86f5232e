/** The local SageMaker: pipelines that truly run, jobs, and the model registry, behind the API's own operations. */
import { AwsError, type Caller, type JsonService } from '../../gateway/service';
import { Arns } from './arns';
import { Executions } from './api/executions';
import { Jobs } from './api/jobs';
import { type GroupRecord, ModelRegistry, type PackageRecord } from './api/model-registry';
import { type PipelineRecord, Pipelines } from './api/pipelines';
import type { Input } from './input';
import type { JobRecord } from './jobs/job-record';
import { ProcessingJobs } from './jobs/processing-jobs';
import { TrainingJobs } from './jobs/training-jobs';
import type { ExecutionRecord } from './pipeline/execution-record';
import type { SageMakerOptions } from './ports';
import { Database } from './table';

type Operation = (input: Input, caller: Caller) => unknown;

export class SageMakerService implements JsonService {
  readonly name = 'sagemaker';
  readonly protocol = 'json-1.1';
  private readonly database: Database;
  private readonly executions: Executions;
  private readonly jobs: Jobs;
  private readonly operations: Readonly<Record<string, Operation>>;

  /** State in the directory is read at once; call {@link resume} when the rest of the local run is ready. */
  constructor(options: SageMakerOptions) {
    this.database = new Database(options.directory);
    const arns = new Arns(options.region ?? 'us-east-1', options.accountId ?? '000000000000');
    const jobRecords = this.database.table<JobRecord>('jobs');
    const pipelines = new Pipelines(options, arns, this.database.table<PipelineRecord>('pipelines'));
    const registry = new ModelRegistry(
      options,
      arns,
      this.database.table<GroupRecord>('groups'),
      this.database.table<PackageRecord>('packages'),
    );
    const executions = new Executions(options, arns, pipelines, this.database.table<ExecutionRecord>('executions'), {
      processing: new ProcessingJobs(options, arns, jobRecords),
      training: new TrainingJobs(options, arns, jobRecords),
      registerModel: (request, roleArn) => registry.register(request, roleArn),
    });
    const jobs = new Jobs(jobRecords);
    this.executions = executions;
    this.jobs = jobs;
    this.operations = {
      CreatePipeline: (input) => pipelines.create(input),
      UpdatePipeline: (input) => pipelines.update(input),
      DescribePipeline: (input) => pipelines.describe(input),
      ListPipelines: (input) => pipelines.list(input),
      DeletePipeline: (input) => pipelines.delete(input),
      StartPipelineExecution: (input) => executions.start(input),
      StopPipelineExecution: (input) => executions.stop(input),
      DescribePipelineExecution: (input) => executions.describe(input),
      ListPipelineExecutions: (input) => executions.list(input),
      ListPipelineExecutionSteps: (input) => executions.listSteps(input),
      ListPipelineParametersForExecution: (input) => executions.listParameters(input),
      DescribePipelineDefinitionForExecution: (input) => executions.describeDefinition(input),
      CreateModelPackageGroup: (input) => registry.createGroup(input),
      DescribeModelPackageGroup: (input) => registry.describeGroup(input),
      ListModelPackageGroups: (input) => registry.listGroups(input),
      DeleteModelPackageGroup: (input) => registry.deleteGroup(input),
      CreateModelPackage: (input, caller) => registry.createPackage(input, caller.principalArn),
      DescribeModelPackage: (input) => registry.describePackage(input),
      ListModelPackages: (input) => registry.listPackages(input),
      UpdateModelPackage: (input) => registry.updatePackage(input),
      DeleteModelPackage: (input) => registry.deletePackage(input),
      DescribeTrainingJob: (input) => jobs.describeTraining(input),
      ListTrainingJobs: (input) => jobs.listTraining(input),
      DescribeProcessingJob: (input) => jobs.describeProcessing(input),
      ListProcessingJobs: (input) => jobs.listProcessing(input),
    };
  }

  async call(operation: string, input: Record<string, unknown>, caller: Caller): Promise<unknown> {
    const handler = Object.hasOwn(this.operations, operation) ? this.operations[operation] : undefined;
    if (!handler) throw new AwsError('UnknownOperationException', `the local SageMaker has no operation ${operation}`);
    return handler(input, caller);
  }

  /**
   * After a restart: jobs that died with the process are marked Stopped, and executions that were under way go on with
   * the steps that had not ended. Call once, when images and buckets are there.
   */
  async resume(): Promise<void> {
    await this.jobs.closeInterrupted();
    this.executions.resume();
  }

  /** Ends running jobs and closes the journal; executions stay as they are, to be resumed. */
  async close(): Promise<void> {
    await this.executions.abandon();
    this.database.close();
  }
}
