/** What the partition trigger, the pipeline definition and the training commands agree on. */

/** When a new sealed partition starts a training execution. One execution runs at a time per use case. */
export interface TriggerPolicy {
  /** Start once this many partitions are sealed that the last dataset did not hold. 1 = every partition, 24 = daily. */
  readonly newPartitions: number;
  /** …and the dataset has at least this many feature rows. */
  readonly minimumRows: number;
  /** No start sooner than this after the last one, milliseconds. */
  readonly cooldown: number;
  /** A dataset holds the partitions of this many hours back from the newest sealed one. */
  readonly datasetHours: number;
}

/** One entry of the partition trigger's TRAINING_TARGETS. */
export interface TrainingTarget {
  readonly pipelineName: string;
  /** Glue table whose partitions follow the newest generation. */
  readonly glueTable: string;
  readonly policy: TriggerPolicy;
  /** A hash of the pipeline definition: part of the idempotency token, so a changed definition trains anew. */
  readonly definitionHash: string;
}

/** Names of the SageMaker pipeline's parameters. */
export const PipelineParameter = {
  /** sha256 hex of the dataset's content. */
  datasetHash: 'DatasetHash',
  /** s3:// URI of the ManifestFile that lists the feature files. */
  inputManifest: 'InputManifestUri',
  /** s3:// URI of the folder that the splits are written to; it holds the dataset's hash. */
  dataset: 'DatasetUri',
} as const;

/** Step names of the pipeline, as the console and the local run show them. */
export const PipelineStep = {
  prepareDataset: 'PrepareDataset',
  train: 'Train',
  evaluate: 'Evaluate',
  gate: 'QualityGate',
  register: 'RegisterModel',
  fail: 'GateFailed',
} as const;

/** First argument of the consumer bundle; none = run the consumer. */
export const BundleCommand = {
  prepareDataset: 'prepare-dataset',
  evaluate: 'evaluate',
} as const;

/** Inside a SageMaker Processing container, inputs and outputs stand below here. */
export const PROCESSING_ROOT = '/opt/ml/processing';

/** The property file of the Evaluate step. */
export const EVALUATION_FILE = 'evaluation.json';
export const DATASET_FILE = 'dataset.json';
