/** What the local SageMaker needs from its surroundings; the local run injects it. */
import type { Clock } from '../../gateway/service';

/** S3 as a job's role sees it. Failures are AwsErrors in S3's terms. */
export interface ObjectStore {
  get(bucket: string, key: string, roleArn: string): Promise<Uint8Array>;
  put(bucket: string, key: string, body: Uint8Array, roleArn: string): Promise<void>;
  /** Every key that begins with the prefix, ascending. */
  list(bucket: string, prefix: string, roleArn: string): Promise<readonly string[]>;
}

/** A container image that runs as a process: COPY only, so that its files stand in one directory of this machine. */
export interface ContainerImage {
  /** The directory that holds the image's files. */
  readonly directory: string;
  /** Where the Dockerfile puts them, such as `/app`. */
  readonly workingDirectory: string;
  /** ENTRYPOINT and CMD, in paths of the container. */
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** An event for EventBridge; whoever takes it adds id, account, Region and time. */
export interface SageMakerEvent {
  readonly source: 'aws.sagemaker';
  readonly 'detail-type': string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

export type TrainerChoice =
  /** Real XGBoost where `python3` can import xgboost and pyarrow, else the built-in trainer. */
  'auto' | 'built-in' | 'python';

export interface SageMakerOptions {
  /** State and job directories; `<directory>/jobs/<job>` stands for `/opt/ml` of the job's container. */
  readonly directory: string;
  readonly clock: Clock;
  /** [0, 1); ids and job names are drawn from it. Default Math.random. */
  readonly random?: () => number;
  readonly s3: ObjectStore;
  /** The image's files, or undefined where the assembly has no such image. */
  resolveImage(imageUri: string): ContainerImage | undefined;
  /** What a container of this role gets besides its own environment: endpoint, Region, credentials. Default nothing. */
  readonly containerEnvironment?: (roleArn: string) => Readonly<Record<string, string>>;
  emit(event: SageMakerEvent): void;
  /** Default `auto`. */
  readonly trainer?: TrainerChoice;
  /** Finds a Python that can train; default asks `python3` once. */
  readonly findPython?: () => Promise<PythonTrainer | undefined>;
  /** Called with every line that a job's container prints. */
  readonly onLog?: (job: string, line: string) => void;
  /** Default us-east-1. */
  readonly region?: string;
  /** Default 000000000000. */
  readonly accountId?: string;
}

export interface PythonTrainer {
  /** The interpreter, such as `python3`. */
  readonly command: string;
  /** Of the xgboost package. */
  readonly version: string;
}
