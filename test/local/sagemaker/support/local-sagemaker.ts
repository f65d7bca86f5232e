import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller, Clock } from '../../../../local/gateway/service';
import { type SageMakerEvent, type SageMakerOptions, SageMakerService } from '../../../../local/services/sagemaker';
import { MemoryStore } from './memory-store';

export const ROLE = 'arn:aws:iam::000000000000:role/PipelineRole';
export const IMAGE = '000000000000.dkr.ecr.us-east-1.amazonaws.com/assets:tools';
export const XGBOOST = '683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5';
const CALLER: Caller = { accessKeyId: 'LOCALROOT0000000000', principalArn: 'arn:aws:iam::000000000000:root' };

/** Waits pass a thousand times faster, times are real. */
const hurriedClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms / 1000);
    return () => clearTimeout(timer);
  },
};

/**
 * The image's program: `write <file> <text>`, `copy <from> <to>`, `fail <message>`, `env <name> <file>`, `wait`,
 * `count <file>`; several commands are separated by `;`.
 */
const PROGRAM = `
const fs = require('node:fs'); const path = require('node:path');
const words = process.argv.slice(2); const commands = [[]];
for (const word of words) word === ';' ? commands.push([]) : commands.at(-1).push(word);
for (const [command, a, b] of commands) {
  if (command === 'write') { fs.mkdirSync(path.dirname(a), { recursive: true }); fs.writeFileSync(a, b); }
  if (command === 'list') fs.writeFileSync(b, fs.readdirSync(a, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile()).map((e) => path.relative(a, path.join(e.parentPath, e.name))).sort().join('\\n'));
  if (command === 'copy') fs.cpSync(a, b, { recursive: true });
  if (command === 'env') fs.writeFileSync(b, JSON.stringify(process.env));
  if (command === 'say') console.log(a);
  if (command === 'fail') { fs.writeFileSync(b, a); console.error('going down'); process.exit(3); }
  if (command === 'wait') setInterval(() => {}, 1000);
}
`;

export class LocalSageMaker {
  readonly events: SageMakerEvent[] = [];
  readonly lines: string[] = [];
  readonly store = new MemoryStore();
  readonly directory = mkdtempSync(join(tmpdir(), 'sagemaker-'));
  service!: SageMakerService;
  private tokens = 0;
  private watchers: (() => void)[] = [];

  constructor(private readonly options: Partial<SageMakerOptions> = {}) {
    writeFileSync(join(this.directory, 'main.js'), PROGRAM);
    this.open();
  }

  open(): void {
    this.service = new SageMakerService({
      directory: join(this.directory, 'state'),
      clock: hurriedClock,
      s3: this.store,
      resolveImage: (uri) =>
        uri === IMAGE
          ? {
              directory: this.directory,
              workingDirectory: '/app',
              entrypoint: ['node', '/app/main.js'],
              command: ['say', 'idle'],
            }
          : undefined,
      containerEnvironment: (roleArn) => ({ AWS_REGION: 'us-east-1', ROLE_OF_JOB: roleArn }),
      emit: (event) => {
        this.events.push(event);
        for (const watcher of this.watchers) watcher();
      },
      onLog: (_job, line) => this.lines.push(line),
      trainer: 'built-in',
      ...this.options,
    });
  }

  async close(): Promise<void> {
    await this.service.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  call<Output = Record<string, unknown>>(operation: string, input: Record<string, unknown>): Promise<Output> {
    return this.service.call(operation, input, CALLER) as Promise<Output>;
  }

  token(): string {
    return `token-${String(this.tokens++).padStart(32, '0')}`;
  }

  createPipeline(steps: unknown[], parameters: unknown[] = [], name = 'Trial'): Promise<unknown> {
    const PipelineDefinition = JSON.stringify({
      Version: '2020-12-01',
      Metadata: {},
      Parameters: parameters,
      Steps: steps,
    });
    return this.call('CreatePipeline', {
      PipelineName: name,
      RoleArn: ROLE,
      ClientRequestToken: this.token(),
      PipelineDefinition,
    });
  }

  async start(parameters: Record<string, string> = {}, name = 'Trial'): Promise<string> {
    const { PipelineExecutionArn } = await this.call<{ PipelineExecutionArn: string }>('StartPipelineExecution', {
      PipelineName: name,
      ClientRequestToken: this.token(),
      PipelineParameters: Object.entries(parameters).map(([Name, Value]) => ({ Name, Value })),
    });
    return PipelineExecutionArn;
  }

  /** Resolves with DescribePipelineExecution's output once the condition on it holds. */
  async until(arn: string, condition: (status: string, steps: StepView[]) => boolean): Promise<ExecutionView> {
    for (;;) {
      const view = await this.call<ExecutionView>('DescribePipelineExecution', { PipelineExecutionArn: arn });
      if (condition(view.PipelineExecutionStatus, await this.steps(arn))) return view;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.watchers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      this.watchers = [];
    }
  }

  ended(arn: string): Promise<ExecutionView> {
    return this.until(arn, (status) => ['Succeeded', 'Failed', 'Stopped'].includes(status));
  }

  async run(
    parameters: Record<string, string> = {},
  ): Promise<{ arn: string; execution: ExecutionView; steps: StepView[] }> {
    const arn = await this.start(parameters);
    const execution = await this.ended(arn);
    return { arn, execution, steps: await this.steps(arn) };
  }

  async steps(arn: string): Promise<StepView[]> {
    const { PipelineExecutionSteps } = await this.call<{ PipelineExecutionSteps: StepView[] }>(
      'ListPipelineExecutionSteps',
      {
        PipelineExecutionArn: arn,
        SortOrder: 'Ascending',
        MaxResults: 100,
      },
    );
    return PipelineExecutionSteps;
  }
}

export interface ExecutionView {
  PipelineExecutionStatus: string;
  FailureReason?: string;
}

export interface StepView {
  StepName: string;
  StepStatus: string;
  FailureReason?: string;
  AttemptCount: number;
  Metadata?: Record<string, Record<string, unknown>>;
  CacheHitResult?: { SourcePipelineExecutionArn: string };
}

/** A Processing step that runs the image's program; outputs are uploaded to s3://bucket/<prefix>/<output>. */
export function processing(
  name: string,
  args: unknown[],
  more: {
    inputs?: unknown[];
    outputs?: Record<string, unknown>;
    step?: Record<string, unknown>;
    environment?: Record<string, unknown>;
  } = {},
): Record<string, unknown> {
  return {
    Name: name,
    Type: 'Processing',
    Arguments: {
      AppSpecification: { ImageUri: IMAGE, ContainerArguments: args },
      RoleArn: ROLE,
      ...(more.environment ? { Environment: more.environment } : {}),
      ProcessingResources: { ClusterConfig: { InstanceCount: 1, InstanceType: 'ml.m5.large', VolumeSizeInGB: 10 } },
      ...(more.inputs ? { ProcessingInputs: more.inputs } : {}),
      ProcessingOutputConfig: {
        Outputs: Object.entries(more.outputs ?? {}).map(([OutputName, S3Uri]) => ({
          OutputName,
          S3Output: { S3Uri, LocalPath: `/opt/ml/processing/${OutputName}`, S3UploadMode: 'EndOfJob' },
        })),
      },
    },
    ...more.step,
  };
}

export function input(name: string, uri: unknown, type = 'S3Prefix'): Record<string, unknown> {
  return {
    InputName: name,
    S3Input: { S3Uri: uri, LocalPath: `/opt/ml/processing/in/${name}`, S3DataType: type, S3InputMode: 'File' },
  };
}

export function training(name: string, trainUri: unknown, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    Name: name,
    Type: 'Training',
    Arguments: {
      AlgorithmSpecification: { TrainingImage: XGBOOST, TrainingInputMode: 'File' },
      HyperParameters: { num_round: '5', objective: 'reg:squarederror', eval_metric: 'rmse' },
      InputDataConfig: [channel('train', trainUri), channel('validation', trainUri)],
      OutputDataConfig: { S3OutputPath: 's3://bucket/models' },
      ResourceConfig: { InstanceCount: 1, InstanceType: 'ml.m5.large', VolumeSizeInGB: 10 },
      StoppingCondition: { MaxRuntimeInSeconds: 3600 },
      RoleArn: ROLE,
      ...more,
    },
  };
}

export function channel(name: string, uri: unknown, contentType = 'text/csv'): Record<string, unknown> {
  return {
    ChannelName: name,
    ContentType: contentType,
    DataSource: { S3DataSource: { S3DataType: 'S3Prefix', S3Uri: uri, S3DataDistributionType: 'FullyReplicated' } },
  };
}

export const get = (path: string): { Get: string } => ({ Get: path });
export const join_ = (on: string, ...values: unknown[]): unknown => ({ 'Std:Join': { On: on, Values: values } });
export const fail = (name: string, message: unknown): unknown => ({
  Name: name,
  Type: 'Fail',
  Arguments: { ErrorMessage: message },
});

/** Label = 2 × first feature + noise-free offset by the second. */
export function csvRows(count: number): string {
  return Array.from({ length: count }, (_, row) => {
    const first = (row * 37) % 100;
    const second = (row * 53) % 17;
    return `${2 * first + second},${first},${second}`;
  }).join('\n');
}
