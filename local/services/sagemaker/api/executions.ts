/** StartPipelineExecution and all that is asked of executions. */
import { type Arns, nameOf, randomId } from '../arns';
import { executionStatusEvent, stepStatusEvent } from '../events';
import { AwsError } from '../../../gateway/service';
import { type Input, notFound, optionalList, optionalText, requiredText, wireTime } from '../input';
import { listPage, pageOf } from '../paging';
import type { Definition } from '../pipeline/definition';
import { type ExecutionRecord, type StepRecord, isTerminal } from '../pipeline/execution-record';
import { resolveParameters } from '../pipeline/parameters';
import { PipelineRun, type RunServices } from '../pipeline/run';
import type { SageMakerOptions } from '../ports';
import type { Table } from '../table';
import { type Pipelines, maxParallelSteps } from './pipelines';

/** As the service: see "Parallelism configuration" in the developer guide. */
const DEFAULT_PARALLEL_STEPS = 50;

export class Executions {
  private readonly runs = new Map<string, { run: PipelineRun; done: Promise<void> }>();

  constructor(
    private readonly options: SageMakerOptions,
    private readonly arns: Arns,
    private readonly pipelines: Pipelines,
    private readonly records: Table<ExecutionRecord>,
    private readonly services: Pick<RunServices, 'processing' | 'training' | 'registerModel'>,
  ) {}

  /**
   * The same ClientRequestToken gives the same execution.
   * @throws AwsError ResourceNotFound, ValidationException, or ConflictException for a token used with other parameters.
   */
  async start(input: Input): Promise<unknown> {
    const pipeline = this.pipelines.find(requiredText(input, 'PipelineName', { maximum: 2048 }));
    const token = requiredText(input, 'ClientRequestToken', { minimum: 32, maximum: 128 });
    const given = (optionalList(input, 'PipelineParameters') ?? []) as { Name: string; Value: string }[];
    const earlier = this.records
      .values()
      .find((record) => record.clientRequestToken === token && record.pipelineArn === pipeline.arn);
    if (earlier) {
      if (parameterText(earlier.givenParameters) !== parameterText(given)) {
        throw new AwsError('ConflictException', `ClientRequestToken was used for ${earlier.arn} with other parameters`);
      }
      return { PipelineExecutionArn: earlier.arn };
    }
    const definition = JSON.parse(pipeline.definition) as Partial<Definition>;
    const parameters = resolveParameters(definition.Parameters ?? [], given);
    const now = this.options.clock.now();
    const id = randomId(12, this.options.random ?? Math.random);
    const record: ExecutionRecord = {
      arn: this.arns.execution(pipeline.name, id),
      id,
      pipelineName: pipeline.name,
      pipelineArn: pipeline.arn,
      roleArn: pipeline.roleArn,
      displayName: optionalText(input, 'PipelineExecutionDisplayName', { maximum: 82 }) ?? `execution-${now}`,
      description: optionalText(input, 'PipelineExecutionDescription', { maximum: 3072 }),
      status: 'Executing',
      startTime: now,
      lastModifiedTime: now,
      parameters,
      givenParameters: given,
      definition: pipeline.definition,
      maxParallelSteps: maxParallelSteps(input) ?? pipeline.maxParallelSteps ?? DEFAULT_PARALLEL_STEPS,
      clientRequestToken: token,
      steps: [],
    };
    // In the table before anything is awaited: a second call with the token finds it.
    const saved = this.records.put(record.arn, record);
    void this.pipelines.markRun(pipeline, now);
    await saved;
    this.options.emit(executionStatusEvent(record, undefined));
    this.begin(record);
    return { PipelineExecutionArn: record.arn };
  }

  /** Goes on with every execution that was under way when the process ended. */
  resume(): void {
    for (const record of this.records.values()) {
      if (!isTerminal(record.status) && !this.runs.has(record.arn)) this.begin(record);
    }
  }

  /** Stops what runs here and leaves the executions as they are, to be resumed. */
  async abandon(): Promise<void> {
    const runs = [...this.runs.values()];
    for (const { run } of runs) run.abandon();
    await Promise.all(runs.map(({ done }) => done));
  }

  stop(input: Input): unknown {
    const record = this.find(input);
    this.runs.get(record.arn)?.run.stop();
    return { PipelineExecutionArn: record.arn };
  }

  describe(input: Input): unknown {
    const record = this.find(input);
    return {
      PipelineArn: record.pipelineArn,
      PipelineExecutionArn: record.arn,
      PipelineExecutionDisplayName: record.displayName,
      PipelineExecutionDescription: record.description,
      PipelineExecutionStatus: record.status,
      FailureReason: record.failureReason,
      CreationTime: wireTime(record.startTime),
      LastModifiedTime: wireTime(record.lastModifiedTime),
      ParallelismConfiguration: { MaxParallelExecutionSteps: record.maxParallelSteps },
    };
  }

  list(input: Input): unknown {
    const { arn } = this.pipelines.find(requiredText(input, 'PipelineName'));
    const rows = this.records.values().filter((record) => record.pipelineArn === arn);
    const { page, NextToken } = listPage(rows, input, (row) => ({ name: row.arn, creationTime: row.startTime }));
    return {
      PipelineExecutionSummaries: page.map((row) => ({
        PipelineExecutionArn: row.arn,
        StartTime: wireTime(row.startTime),
        PipelineExecutionStatus: row.status,
        PipelineExecutionDescription: row.description,
        PipelineExecutionDisplayName: row.displayName,
        PipelineExecutionFailureReason: row.failureReason,
      })),
      NextToken,
    };
  }

  listSteps(input: Input): unknown {
    const { steps } = this.find(input);
    const order = optionalText(input, 'SortOrder', { oneOf: ['Ascending', 'Descending'] }) ?? 'Descending';
    const { page, NextToken } = pageOf(order === 'Ascending' ? steps : [...steps].reverse(), input);
    return { PipelineExecutionSteps: page.map(wireStep), NextToken };
  }

  listParameters(input: Input): unknown {
    const { page, NextToken } = pageOf(this.find(input).givenParameters, input);
    return { PipelineParameters: page, NextToken };
  }

  describeDefinition(input: Input): unknown {
    const record = this.find(input);
    return { PipelineDefinition: record.definition, CreationTime: wireTime(record.startTime) };
  }

  private find(input: Input): ExecutionRecord {
    const arn = requiredText(input, 'PipelineExecutionArn', { maximum: 2048 });
    const record = this.records.get(arn);
    if (!record) throw notFound(`Pipeline execution with ARN ${nameOf(arn)} does not exist.`);
    return record;
  }

  private begin(record: ExecutionRecord): void {
    const run = new PipelineRun(record, {
      ...this.services,
      clock: this.options.clock,
      random: this.options.random ?? Math.random,
      s3: this.options.s3,
      executions: (pipelineName) => this.records.values().filter((other) => other.pipelineName === pipelineName),
      save: (changed) => this.records.put(changed.arn, changed),
      onStepChange: (execution, step, previous) => this.options.emit(stepStatusEvent(execution, step, previous)),
      onStatusChange: (execution, previous) => this.options.emit(executionStatusEvent(execution, previous)),
    });
    const done = run.run().finally(() => this.runs.delete(record.arn));
    this.runs.set(record.arn, { run, done });
  }
}

function parameterText(parameters: readonly { readonly Name: string; readonly Value: string }[]): string {
  return JSON.stringify(parameters.map(({ Name, Value }) => [Name, Value]).sort());
}

function wireStep(step: StepRecord): Record<string, unknown> {
  return {
    StepName: step.name,
    StepDisplayName: step.displayName,
    StepDescription: step.description,
    StepStatus: step.status,
    StartTime: wireTime(step.startTime),
    EndTime: wireTime(step.endTime),
    FailureReason: step.failureReason,
    AttemptCount: step.attempts,
    Metadata: step.metadata,
    ...(step.cacheSource === undefined ? {} : { CacheHitResult: { SourcePipelineExecutionArn: step.cacheSource } }),
  };
}
