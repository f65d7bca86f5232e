/** Processing jobs: inputs from S3, the image's files as a child process, outputs to S3. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '../../../gateway/service';
import type { Arns } from '../arns';
import { type Input, wireTime } from '../input';
import { StepFailure, asStepFailure } from '../pipeline/step-failure';
import type { SageMakerOptions } from '../ports';
import type { Table } from '../table';
import { localPath, mapMlPaths, processArguments } from './container-paths';
import { download } from './download';
import type { JobRunner, RunningJob } from './job';
import type { JobRecord } from './job-record';
import { checkProcessingRequest } from './request-limits';
import { upload } from './upload';

/** The body of CreateProcessingJob, checked. */
interface ProcessingRequest {
  readonly AppSpecification: {
    readonly ImageUri: string;
    readonly ContainerEntrypoint?: readonly string[];
    readonly ContainerArguments?: readonly string[];
  };
  readonly RoleArn: string;
  readonly Environment?: Readonly<Record<string, string>>;
  readonly ProcessingInputs?: readonly {
    readonly InputName: string;
    readonly S3Input: {
      readonly S3Uri: string;
      readonly LocalPath: string;
      readonly S3DataType: 'S3Prefix' | 'ManifestFile';
    };
  }[];
  readonly ProcessingOutputConfig?: {
    readonly Outputs: readonly { readonly S3Output: { readonly S3Uri: string; readonly LocalPath: string } }[];
  };
  readonly StoppingCondition?: { readonly MaxRuntimeInSeconds?: number };
  readonly NetworkConfig?: { readonly EnableNetworkIsolation?: boolean };
}

const MAXIMUM_EXIT_MESSAGE = 1024;
const MAXIMUM_REASON = 1024;
/** From SIGTERM to SIGKILL, as the service's containers have it. */
const STOP_GRACE_MS = 30_000;
const LAST_LINES = 5;

export class ProcessingJobs implements JobRunner {
  private readonly clock: Clock;

  constructor(
    private readonly options: SageMakerOptions,
    private readonly arns: Arns,
    private readonly records: Table<JobRecord>,
  ) {
    this.clock = options.clock;
  }

  start(name: string, request: Input): RunningJob {
    checkProcessingRequest(request);
    const arn = this.arns.processingJob(name);
    const creationTime = this.clock.now();
    const base = { ProcessingJobName: name, ProcessingJobArn: arn, CreationTime: wireTime(creationTime), ...request };
    const save = (status: JobRecord['status'], more: Record<string, unknown>): Promise<void> =>
      this.records.put(name, {
        kind: 'processing',
        name,
        arn,
        creationTime,
        status,
        description: { ...base, ProcessingJobStatus: status, LastModifiedTime: wireTime(this.clock.now()), ...more },
      });
    void save('InProgress', { ProcessingStartTime: wireTime(creationTime) });
    const container = new Container();
    const done = this.run(name, request as unknown as ProcessingRequest, container).then(
      async (exit) => {
        await save('Completed', {
          ProcessingStartTime: wireTime(creationTime),
          ProcessingEndTime: wireTime(this.clock.now()),
          ...exit,
        });
        return this.records.get(name)!.description;
      },
      async (error: unknown) => {
        const failure = asStepFailure(error);
        const ExitMessage = container.exitMessage;
        await save(container.stopped ? 'Stopped' : 'Failed', {
          ProcessingEndTime: wireTime(this.clock.now()),
          FailureReason: failure.message,
          ...(ExitMessage === undefined ? {} : { ExitMessage }),
        });
        throw failure;
      },
    );
    return { name, arn, done, stop: () => container.stop(this.clock) };
  }

  private async run(name: string, request: ProcessingRequest, container: Container): Promise<{ ExitMessage?: string }> {
    const { s3, resolveImage } = this.options;
    const { AppSpecification, RoleArn } = request;
    const image = resolveImage(AppSpecification.ImageUri);
    if (!image) throw new StepFailure(`ClientError: there is no image ${AppSpecification.ImageUri} in the assembly`);
    const directory = join(this.options.directory, 'jobs', name);
    for (const { S3Input } of request.ProcessingInputs ?? []) {
      const source = { uri: S3Input.S3Uri, type: S3Input.S3DataType, gzip: false };
      await download(s3, source, localPath(S3Input.LocalPath, directory), RoleArn);
    }
    for (const { S3Output } of request.ProcessingOutputConfig?.Outputs ?? []) {
      await mkdir(localPath(S3Output.LocalPath, directory), { recursive: true });
    }
    await mkdir(join(directory, 'output'), { recursive: true });
    await mkdir(join(directory, 'config'), { recursive: true });
    await writeFile(
      join(directory, 'config/processingjobconfig.json'),
      JSON.stringify({ ProcessingJobName: name, ...request }, null, 2),
    );

    // An isolated container reaches no service, and gets no credentials to call one with.
    const isolated = request.NetworkConfig?.EnableNetworkIsolation === true;
    const environment: Record<string, string> = {
      ...image.environment,
      ...(isolated ? {} : this.options.containerEnvironment?.(RoleArn)),
    };
    for (const [key, value] of Object.entries(request.Environment ?? {}))
      environment[key] = mapMlPaths(value, directory);
    const code = await container.run({
      arguments: processArguments(
        image,
        AppSpecification.ContainerEntrypoint,
        AppSpecification.ContainerArguments,
        directory,
      ),
      directory,
      workingDirectory: image.directory,
      environment,
      timeoutMs: (request.StoppingCondition?.MaxRuntimeInSeconds ?? 86_400) * 1000,
      clock: this.clock,
      onLine: (line) => this.options.onLog?.(name, line),
    });
    if (container.stopped) throw new StepFailure('the job was stopped');
    if (container.timedOut)
      throw new StepFailure(
        `ClientError: the job ran longer than MaxRuntimeInSeconds ${request.StoppingCondition?.MaxRuntimeInSeconds}`,
      );
    if (code !== 0) {
      const said = container.exitMessage ?? container.lastLines.join(' | ');
      throw new StepFailure(
        `AlgorithmError: exit code ${code}: ${said} (log: ${join(directory, 'log')})`.slice(0, MAXIMUM_REASON),
      );
    }
    for (const { S3Output } of request.ProcessingOutputConfig?.Outputs ?? []) {
      await upload(s3, localPath(S3Output.LocalPath, directory), S3Output.S3Uri, RoleArn);
    }
    // What S3 has as well; after a failure it stays, to be looked at.
    await rm(join(directory, 'processing'), { recursive: true, force: true });
    return container.exitMessage === undefined ? {} : { ExitMessage: container.exitMessage };
  }
}

interface ContainerRun {
  readonly arguments: readonly string[];
  /** The job's directory: /opt/ml of the container. */
  readonly directory: string;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly onLine: (line: string) => void;
}

class Container {
  stopped = false;
  timedOut = false;
  /** What the process wrote to /opt/ml/output/message. */
  exitMessage: string | undefined;
  readonly lastLines: string[] = [];
  private child: ChildProcess | undefined;

  /** Resolves with the exit code; 128 + n where signal n ended it. */
  async run(run: ContainerRun): Promise<number> {
    if (this.stopped) return 143;
    const [command, ...args] = run.arguments;
    if (command === undefined) throw new StepFailure('ClientError: the image has no entrypoint and the job gives none');
    const log = createWriteStream(join(run.directory, 'log'));
    const child = spawn(command, args, {
      cwd: run.workingDirectory,
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...run.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        this.lastLines.push(line);
        if (this.lastLines.length > LAST_LINES) this.lastLines.shift();
        run.onLine(line);
      });
    }
    const cancel = run.clock.after(run.timeoutMs, () => {
      this.timedOut = true;
      child.kill('SIGKILL');
    });
    try {
      return await new Promise<number>((resolve, reject) => {
        child.on('error', (error) =>
          reject(new StepFailure(`ClientError: the container cannot start: ${error.message}`)),
        );
        child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)));
      });
    } finally {
      cancel();
      this.child = undefined;
      await new Promise<void>((resolve) => log.end(resolve));
      const message = join(run.directory, 'output/message');
      if (existsSync(message)) this.exitMessage = readFileSync(message, 'utf8').slice(0, MAXIMUM_EXIT_MESSAGE);
    }
  }

  stop(clock: Clock): void {
    this.stopped = true;
    const { child } = this;
    if (!child) return;
    child.kill('SIGTERM');
    const cancel = clock.after(STOP_GRACE_MS, () => child.kill('SIGKILL'));
    child.on('close', cancel);
  }
}
