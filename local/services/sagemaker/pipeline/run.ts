/** Runs one execution to its end, step by step, recording each change before it goes on. */
import type { Clock } from '../../../gateway/service';
import { randomId } from '../arns';
import type { JobRunner, RunningJob } from '../jobs/job';
import type { ObjectStore } from '../ports';
import { parseS3Uri } from '../s3-uri';
import { allHold } from './conditions';
import { type Definition, type PlannedStep, type Step, planSteps } from './definition';
import { type ExecutionRecord, type StepRecord, isTerminal } from './execution-record';
import { type ResolutionContext, resolve } from './resolve';
import { nextRetry } from './retry';
import { decide } from './schedule';
import { cacheKey, findCached } from './step-cache';
import { StepFailure, asStepFailure } from './step-failure';

export interface RunServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly s3: ObjectStore;
  readonly processing: JobRunner;
  readonly training: JobRunner;
  /** CreateModelPackage; resolves with DescribeModelPackage's output. */
  registerModel(request: Readonly<Record<string, unknown>>, roleArn: string): Promise<Record<string, unknown>>;
  /** All executions of the pipeline, for step caching. */
  executions(pipelineName: string): readonly ExecutionRecord[];
  /** Called with every new state; durable when it resolves. */
  save(record: ExecutionRecord): Promise<void>;
  onStepChange(execution: ExecutionRecord, step: StepRecord, previous: StepRecord | undefined): void;
  onStatusChange(execution: ExecutionRecord, previous: ExecutionRecord['status']): void;
}

/** The longest that a job's name may be. */
const MAXIMUM_JOB_NAME = 63;

interface StepResult {
  readonly properties: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly cacheSource?: string;
}

export class PipelineRun {
  private readonly definition: Definition;
  private readonly plan: readonly PlannedStep[];
  private readonly jobs = new Map<string, RunningJob>();
  private readonly waiters = new Set<() => void>();
  private stopping: boolean;
  private abandoned = false;

  constructor(
    private record: ExecutionRecord,
    private readonly services: RunServices,
  ) {
    const definition = JSON.parse(record.definition) as Partial<Definition> & Pick<Definition, 'Steps'>;
    this.definition = { ...definition, Parameters: definition.Parameters ?? [] };
    this.plan = planSteps(this.definition);
    this.stopping = record.status === 'Stopping';
    // Steps that were under way when the process ended begin anew.
    this.record = { ...record, steps: record.steps.filter(({ status }) => isTerminal(status)) };
  }

  get state(): ExecutionRecord {
    return this.record;
  }

  /** Resolves when the execution is in a terminal state, or was abandoned. */
  async run(): Promise<void> {
    const running = new Set<Promise<void>>();
    for (;;) {
      if (this.abandoned) {
        await Promise.all(running);
        return;
      }
      const records = new Map(this.record.steps.map((step) => [step.name, step]));
      const decision = decide(this.plan, records, this.stopping, this.record.maxParallelSteps);
      if (decision.kind === 'finish') return this.finish(decision.status);
      if (decision.kind === 'start') {
        for (const planned of decision.steps) {
          this.putStep({
            name: planned.step.Name,
            type: planned.step.Type,
            displayName: planned.step.DisplayName,
            description: planned.step.Description,
            status: 'Starting',
            startTime: this.services.clock.now(),
            attempts: 0,
          });
          const task: Promise<void> = this.runStep(planned.step).finally(() => running.delete(task));
          running.add(task);
        }
        continue;
      }
      await Promise.race(running);
    }
  }

  /** StopPipelineExecution: running jobs are stopped, nothing new starts. */
  stop(): void {
    if (this.stopping || isTerminal(this.record.status)) return;
    this.stopping = true;
    this.setStatus('Stopping');
    this.stopJobs();
  }

  /** The local run ends: jobs are stopped, and the record stays as it is, to be resumed. */
  abandon(): void {
    this.abandoned = true;
    this.stopJobs();
  }

  private stopJobs(): void {
    for (const job of this.jobs.values()) job.stop();
    for (const wake of this.waiters) wake();
  }

  private finish(status: 'Succeeded' | 'Failed' | 'Stopped'): Promise<void> {
    const failed = this.record.steps.filter((step) => step.status === 'Failed');
    const failureReason =
      status === 'Failed'
        ? `Step failure: One or multiple steps failed. ${failed.map((step) => `${step.name}: ${step.failureReason}`).join('; ')}`.slice(
            0,
            1300,
          )
        : undefined;
    return this.setStatus(status, { endTime: this.services.clock.now(), failureReason });
  }

  private setStatus(status: ExecutionRecord['status'], more: Partial<ExecutionRecord> = {}): Promise<void> {
    const previous = this.record.status;
    this.record = { ...this.record, ...more, status, lastModifiedTime: this.services.clock.now() };
    return this.services.save(this.record).then(() => this.services.onStatusChange(this.record, previous));
  }

  private putStep(step: StepRecord): void {
    const previous = this.record.steps.find(({ name }) => name === step.name);
    const steps = previous
      ? this.record.steps.map((other) => (other === previous ? step : other))
      : [...this.record.steps, step];
    this.record = { ...this.record, steps, lastModifiedTime: this.services.clock.now() };
    void this.services.save(this.record);
    if (previous?.status !== step.status) this.services.onStepChange(this.record, step, previous);
  }

  private stepRecord(name: string): StepRecord {
    return this.record.steps.find((step) => step.name === name)!;
  }

  private changeStep(name: string, change: Partial<StepRecord>): void {
    if (!this.abandoned) this.putStep({ ...this.stepRecord(name), ...change });
  }

  private async runStep(step: Step): Promise<void> {
    const { clock } = this.services;
    const policies = step.RetryPolicies ?? [];
    const retries = policies.map(() => 0);
    const began = clock.now();
    for (let attempt = 1; ; attempt++) {
      this.changeStep(step.Name, { status: 'Executing', attempts: attempt });
      try {
        const { properties, metadata, cacheSource } = await this.attempt(step);
        this.changeStep(step.Name, { status: 'Succeeded', endTime: clock.now(), properties, metadata, cacheSource });
        return;
      } catch (error) {
        const failure = asStepFailure(error);
        const retry = this.stopping
          ? undefined
          : nextRetry(policies, failure, { retries, elapsed: clock.now() - began });
        if (!retry) {
          const status = this.stopping ? 'Stopped' : 'Failed';
          this.changeStep(step.Name, { status, endTime: clock.now(), failureReason: failure.message.slice(0, 1300) });
          return;
        }
        retries[retry.policy]!++;
        await this.sleep(retry.delayMs);
        if (this.abandoned) return;
        if (this.stopping) {
          this.changeStep(step.Name, {
            status: 'Stopped',
            endTime: clock.now(),
            failureReason: failure.message.slice(0, 1300),
          });
          return;
        }
      }
    }
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.waiters.delete(wake);
        resolve();
      };
      const cancel = this.services.clock.after(ms, wake);
      this.waiters.add(wake);
    });
  }

  private async attempt(step: Step): Promise<StepResult> {
    if (step.Type === 'Condition') {
      const conditions = (await resolve(step.Arguments.Conditions, this.context())) as unknown[];
      const Outcome = allHold(conditions) ? 'True' : 'False';
      return { properties: { Outcome }, metadata: { Condition: { Outcome } } };
    }
    const request = (await resolve(step.Arguments, this.context())) as Record<string, unknown>;
    switch (step.Type) {
      case 'Fail': {
        const ErrorMessage = String(request.ErrorMessage);
        this.changeStep(step.Name, { metadata: { Fail: { ErrorMessage } } });
        throw new StepFailure(ErrorMessage);
      }
      case 'RegisterModel': {
        const properties = await this.services.registerModel(request, this.record.roleArn);
        return { properties, metadata: { RegisterModel: { Arn: properties.ModelPackageArn } } };
      }
      case 'Processing':
        return this.runJob(step, request, this.services.processing, 'ProcessingJob');
      case 'Training':
        return this.runJob(step, request, this.services.training, 'TrainingJob');
    }
  }

  private async runJob(
    step: Step,
    request: Record<string, unknown>,
    runner: JobRunner,
    kind: string,
  ): Promise<StepResult> {
    const key = cacheKey(step, request);
    if (key !== undefined) {
      const cached = findCached(
        step,
        key,
        this.services.executions(this.record.pipelineName),
        this.services.clock.now(),
      );
      this.changeStep(step.Name, { cacheKey: key });
      if (cached) {
        return { properties: cached.record.properties, metadata: cached.record.metadata!, cacheSource: cached.source };
      }
    }
    if (this.stopping || this.abandoned) throw new StepFailure('the execution was stopped');
    const job = runner.start(this.jobName(step.Name), request);
    this.changeStep(step.Name, { metadata: { [kind]: { Arn: job.arn } } });
    this.jobs.set(step.Name, job);
    try {
      const properties = await job.done;
      return { properties, metadata: { [kind]: { Arn: job.arn } } };
    } finally {
      this.jobs.delete(step.Name);
    }
  }

  /** As the service names jobs: pipelines-<execution id>-<step>-<ten characters>. */
  private jobName(step: string): string {
    const head = `pipelines-${this.record.id}-`;
    const tail = `-${randomId(10, this.services.random)}`;
    return `${head}${step.slice(0, MAXIMUM_JOB_NAME - head.length - tail.length)}${tail}`.replace(/_/g, '-');
  }

  private context(): ResolutionContext {
    const { record } = this;
    return {
      parameters: record.parameters,
      execution: {
        PipelineArn: record.pipelineArn,
        PipelineName: record.pipelineName,
        PipelineExecutionArn: record.arn,
        PipelineExecutionId: record.id,
        StartDateTime: new Date(record.startTime).toISOString(),
        CurrentDateTime: new Date(this.services.clock.now()).toISOString(),
      },
      stepProperties: (name) => this.stepRecord(name).properties,
      propertyFile: (step, name) => this.readPropertyFile(step, name),
    };
  }

  private async readPropertyFile(stepName: string, name: string): Promise<unknown> {
    const { step } = this.plan.find((planned) => planned.step.Name === stepName)!;
    const file = step.PropertyFiles?.find(({ PropertyFileName }) => PropertyFileName === name);
    const outputs = (this.stepRecord(stepName).properties as ProcessingProperties).ProcessingOutputConfig?.Outputs;
    const output = outputs?.find(({ OutputName }) => OutputName === file?.OutputName);
    if (!file || !output?.S3Output) throw new StepFailure(`step ${stepName} has no output for property file ${name}`);
    const { bucket, key } = parseS3Uri(`${output.S3Output.S3Uri.replace(/\/$/, '')}/${file.FilePath}`);
    let text: string;
    try {
      text = Buffer.from(await this.services.s3.get(bucket, key, this.record.roleArn)).toString('utf8');
    } catch (error) {
      const { message, retryType } = asStepFailure(error);
      throw new StepFailure(
        `property file ${name} of step ${stepName} cannot be read from s3://${bucket}/${key}: ${message}`,
        retryType,
      );
    }
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new StepFailure(`property file ${name} of step ${stepName} (s3://${bucket}/${key}) is not JSON`);
    }
  }
}

interface ProcessingProperties {
  readonly ProcessingOutputConfig?: {
    readonly Outputs: readonly { readonly OutputName: string; readonly S3Output?: { readonly S3Uri: string } }[];
  };
}
