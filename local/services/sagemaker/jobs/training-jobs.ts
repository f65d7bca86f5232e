/** Training jobs of the built-in XGBoost algorithm: channels from S3, the container's rules, model.tar.gz to S3. */
import { appendFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arns } from '../arns';
import { type Input, wireTime } from '../input';
import { StepFailure, asStepFailure } from '../pipeline/step-failure';
import type { PythonTrainer, SageMakerOptions } from '../ports';
import { parseS3Uri } from '../s3-uri';
import type { Table } from '../table';
import { AlgorithmError } from '../xgboost/algorithm-error';
import type { ChannelConfig } from '../xgboost/channels';
import { FinalMetrics } from '../xgboost/final-metrics';
import { type RunningContainer, findPython, runContainer, trainerName } from '../xgboost/run-container';
import { download } from './download';
import type { JobRunner, RunningJob } from './job';
import type { JobRecord } from './job-record';
import { modelArchive } from './model-archive';
import { checkTrainingRequest } from './request-limits';

/** The body of CreateTrainingJob, checked. */
interface TrainingRequest {
  readonly AlgorithmSpecification: { readonly TrainingImage: string; readonly TrainingInputMode: string };
  readonly RoleArn: string;
  readonly HyperParameters?: Readonly<Record<string, string>>;
  readonly InputDataConfig?: readonly {
    readonly ChannelName: string;
    readonly ContentType?: string;
    readonly CompressionType?: 'None' | 'Gzip';
    readonly InputMode?: string;
    readonly DataSource: {
      readonly S3DataSource: {
        readonly S3DataType: 'S3Prefix' | 'ManifestFile';
        readonly S3Uri: string;
        readonly S3DataDistributionType?: string;
      };
    };
  }[];
  readonly OutputDataConfig: { readonly S3OutputPath: string };
  readonly StoppingCondition?: { readonly MaxRuntimeInSeconds?: number };
}

/** The repository of SageMaker's XGBoost images, whatever the registry account and Region. */
const XGBOOST_IMAGE = /\/sagemaker-xgboost(:|@|$)/;

export class TrainingJobs implements JobRunner {
  private python: Promise<PythonTrainer | undefined> | undefined;

  constructor(
    private readonly options: SageMakerOptions,
    private readonly arns: Arns,
    private readonly records: Table<JobRecord>,
  ) {}

  start(name: string, input: Input): RunningJob {
    checkTrainingRequest(input);
    const job = new TrainingJob(name, this.arns.trainingJob(name), input, this.options, this.records, () =>
      this.trainer(),
    );
    return { name, arn: job.arn, done: job.run(), stop: () => job.stop() };
  }

  /** Asked once. @throws StepFailure where `python` was demanded and is not there. */
  private async trainer(): Promise<PythonTrainer | undefined> {
    const choice = this.options.trainer ?? 'auto';
    if (choice === 'built-in') return undefined;
    const python = await (this.python ??= (this.options.findPython ?? findPython)());
    if (!python && choice === 'python')
      throw new StepFailure('AlgorithmError: python3 cannot import xgboost, pandas and pyarrow');
    return python;
  }
}

class TrainingJob {
  private readonly creationTime: number;
  private readonly request: TrainingRequest;
  private readonly directory: string;
  private readonly metrics = new FinalMetrics();
  private readonly transitions: { Status: string; StartTime: number; EndTime?: number; StatusMessage: string }[] = [];
  private container: RunningContainer | undefined;
  private stopped = false;
  private startedAt: number | undefined;

  constructor(
    private readonly name: string,
    readonly arn: string,
    private readonly input: Input,
    private readonly options: SageMakerOptions,
    private readonly records: Table<JobRecord>,
    private readonly trainer: () => Promise<PythonTrainer | undefined>,
  ) {
    this.creationTime = options.clock.now();
    this.request = input as unknown as TrainingRequest;
    this.directory = join(options.directory, 'jobs', name);
  }

  stop(): void {
    this.stopped = true;
    this.container?.stop();
  }

  async run(): Promise<Record<string, unknown>> {
    try {
      await this.enter('Downloading', 'Downloading the training data');
      await this.prepare();
      const python = await this.trainer();
      this.startedAt = this.options.clock.now();
      await this.enter('Training', `Training with trainer: ${trainerName(python)}`);
      await this.train(python);
      await this.enter('Uploading', 'Uploading the model');
      const S3ModelArtifacts = await this.uploadModel();
      // What S3 has as well; after a failure it stays, to be looked at.
      for (const folder of ['input/data', 'model', 'tmp']) {
        await rm(join(this.directory, folder), { recursive: true, force: true });
      }
      await this.enter('Completed', 'Training job completed', 'Completed', { ModelArtifacts: { S3ModelArtifacts } });
      return { ...this.records.get(this.name)!.description };
    } catch (error) {
      const failure = this.stopped ? new StepFailure('the job was stopped') : asFailure(error);
      const status = this.stopped ? 'Stopped' : 'Failed';
      await this.enter(status, failure.message, status, { FailureReason: failure.message.slice(0, 1024) });
      throw failure;
    }
  }

  /** Moves to a secondary status and records the job's description. */
  private enter(
    secondary: string,
    message: string,
    status: JobRecord['status'] = 'InProgress',
    more: Record<string, unknown> = {},
  ): Promise<void> {
    const now = this.options.clock.now();
    const open = this.transitions.at(-1);
    if (open && open.EndTime === undefined) open.EndTime = now / 1000;
    const ended = status !== 'InProgress';
    this.transitions.push({
      Status: secondary,
      StartTime: now / 1000,
      StatusMessage: message,
      ...(ended ? { EndTime: now / 1000 } : {}),
    });
    const seconds = this.startedAt === undefined ? 0 : Math.max(1, Math.round((now - this.startedAt) / 1000));
    return this.records.put(this.name, {
      kind: 'training',
      name: this.name,
      arn: this.arn,
      creationTime: this.creationTime,
      status,
      description: {
        TrainingJobName: this.name,
        TrainingJobArn: this.arn,
        ...this.input,
        TrainingJobStatus: status,
        SecondaryStatus: secondary,
        SecondaryStatusTransitions: [...this.transitions],
        CreationTime: wireTime(this.creationTime),
        TrainingStartTime: wireTime(this.startedAt),
        LastModifiedTime: wireTime(now),
        FinalMetricDataList: this.metrics.list(),
        ...(ended
          ? { TrainingEndTime: wireTime(now), TrainingTimeInSeconds: seconds, BillableTimeInSeconds: seconds }
          : {}),
        ...more,
      },
    });
  }

  /** `/opt/ml/input`: data and configuration, as the container finds them. */
  private async prepare(): Promise<void> {
    const { AlgorithmSpecification, InputDataConfig = [], RoleArn } = this.request;
    if (!XGBOOST_IMAGE.test(AlgorithmSpecification.TrainingImage)) {
      throw new StepFailure(
        `ClientError: image ${AlgorithmSpecification.TrainingImage} does not run here; only repository sagemaker-xgboost does`,
      );
    }
    await rm(this.directory, { recursive: true, force: true });
    const channels: Record<string, ChannelConfig> = {};
    for (const { ChannelName, ContentType, CompressionType, InputMode, DataSource } of InputDataConfig) {
      const { S3DataType, S3Uri, S3DataDistributionType } = DataSource.S3DataSource;
      channels[ChannelName] = {
        ContentType,
        TrainingInputMode: InputMode ?? AlgorithmSpecification.TrainingInputMode,
        S3DistributionType: S3DataDistributionType ?? 'FullyReplicated',
      };
      const source = { uri: S3Uri, type: S3DataType, gzip: CompressionType === 'Gzip' };
      await download(this.options.s3, source, join(this.directory, 'input/data', ChannelName), RoleArn);
    }
    const config = join(this.directory, 'input/config');
    await mkdir(config, { recursive: true });
    await writeFile(join(config, 'hyperparameters.json'), JSON.stringify(this.request.HyperParameters ?? {}, null, 2));
    await writeFile(join(config, 'inputdataconfig.json'), JSON.stringify(channels, null, 2));
  }

  private async train(python: PythonTrainer | undefined): Promise<void> {
    if (this.stopped) throw new StepFailure('the job was stopped');
    const container = runContainer(this.directory, python, (line) => {
      appendFileSync(join(this.directory, 'log'), `${line}\n`);
      this.metrics.read(line, this.options.clock.now());
      this.options.onLog?.(this.name, line);
    });
    this.container = container;
    const seconds = this.request.StoppingCondition?.MaxRuntimeInSeconds ?? 86_400;
    let timedOut = false;
    const cancel = this.options.clock.after(seconds * 1000, () => {
      timedOut = true;
      container.stop();
    });
    try {
      await container.done;
    } catch (error) {
      throw timedOut ? new StepFailure(`the job ran longer than MaxRuntimeInSeconds ${seconds}`) : error;
    } finally {
      cancel();
    }
  }

  private async uploadModel(): Promise<string> {
    const { S3OutputPath } = this.request.OutputDataConfig;
    const uri = `${S3OutputPath.replace(/\/$/, '')}/${this.name}/output/model.tar.gz`;
    const { bucket, key } = parseS3Uri(uri);
    await this.options.s3.put(bucket, key, await modelArchive(join(this.directory, 'model')), this.request.RoleArn);
    return uri;
  }
}

function asFailure(error: unknown): StepFailure {
  return error instanceof AlgorithmError ? new StepFailure(error.failureReason) : asStepFailure(error);
}
