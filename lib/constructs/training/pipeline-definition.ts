/**
 * SageMaker Pipelines definition, version 2020-12-01: the step types that we use, and the pipeline of a use case built
 * from them. Pure: strings may hold CDK tokens.
 * @see https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
 */
import type { UseCase } from '../../../use-cases/define-use-case';
import {
  BundleCommand,
  DATASET_FILE,
  EVALUATION_FILE,
  PipelineParameter,
  PipelineStep,
  PROCESSING_ROOT,
} from '../../contracts/training';
import type {
  ConditionStep,
  PipelineDefinition,
  ProcessingStep,
  RetryPolicy,
  TrainingStep,
  Value,
} from './pipeline-schema';

export interface PipelineDefinitionProps {
  readonly useCase: UseCase;
  /** Role of the jobs. */
  readonly roleArn: string;
  /** Image of the consumer bundle for linux/amd64. */
  readonly processingImage: string;
  readonly processingInstanceType: string;
  /** Image of built-in XGBoost. */
  readonly trainingImage: string;
  readonly trainingInstanceType: string;
  readonly spot: boolean;
  /** Seconds, at most 3600. */
  readonly maxRuntimeSeconds: number;
  /** Bucket of datasets, models and evaluations. */
  readonly artifactBucket: string;
  /** Key for everything that jobs write, their volumes included. */
  readonly kmsKeyArn: string;
  readonly modelPackageGroup: string;
}

const get = (path: string): { Get: string } => ({ Get: path });
const join = (separator: string, ...values: Value[]): Value => ({ 'Std:Join': { On: separator, Values: values } });

const REPORT_OUTPUT = 'evaluation';
const REPORT_FILE = 'EvaluationReport';
const SPLITS = ['train', 'validation', 'test', 'dataset'] as const;
const IN_A_MONTH = 'P30D';

/** The service's own hiccups: any step may be tried again. */
const SERVICE_RETRY: RetryPolicy = {
  ExceptionType: ['Step.SERVICE_FAULT', 'Step.THROTTLING'],
  IntervalSeconds: 5,
  BackoffRate: 2,
  MaxAttempts: 5,
};

/** No capacity, or an account's quota in use by another job: worth hours of waiting. */
const JOB_RETRY: RetryPolicy = {
  ExceptionType: ['SageMaker.JOB_INTERNAL_ERROR', 'SageMaker.CAPACITY_ERROR', 'SageMaker.RESOURCE_LIMIT'],
  IntervalSeconds: 60,
  BackoffRate: 1.5,
  ExpireAfterMin: 240,
};

/** PrepareDataset → Train → Evaluate → QualityGate → RegisterModel, or GateFailed with the reason. */
export function pipelineDefinition(props: PipelineDefinitionProps): PipelineDefinition {
  return {
    Version: '2020-12-01',
    Metadata: {},
    Parameters: [
      { Name: PipelineParameter.datasetHash, Type: 'String' },
      { Name: PipelineParameter.inputManifest, Type: 'String' },
      { Name: PipelineParameter.dataset, Type: 'String' },
    ],
    Steps: [prepareDataset(props), train(props), evaluate(props), qualityGate(props)],
  };
}

/** s3:// URI below the dataset's folder; the dataset's hash is in it, so a cached step never serves another dataset. */
function datasetUri(split: (typeof SPLITS)[number]): Value {
  return join('/', get(`Parameters.${PipelineParameter.dataset}`), split);
}

/** s3:// URI of a folder for this execution alone. */
function executionUri(props: PipelineDefinitionProps, kind: 'models' | 'evaluations'): Value {
  return join('/', `s3://${props.artifactBucket}/${kind}/${props.useCase.name}`, get('Execution.PipelineExecutionId'));
}

function inputPath(name: string): string {
  return `${PROCESSING_ROOT}/input/${name}`;
}

/** Folder of an output; without a name, the one that holds them all. */
function outputPath(name?: string): string {
  return [PROCESSING_ROOT, 'output', ...(name ? [name] : [])].join('/');
}

function processingInput(name: string, uri: Value, type: 'S3Prefix' | 'ManifestFile' = 'S3Prefix'): object {
  return {
    InputName: name,
    AppManaged: false,
    S3Input: {
      S3Uri: uri,
      LocalPath: inputPath(name),
      S3DataType: type,
      S3InputMode: 'File',
      S3DataDistributionType: 'FullyReplicated',
      S3CompressionType: 'None',
    },
  };
}

function processingOutput(name: string, uri: Value): object {
  return {
    OutputName: name,
    AppManaged: false,
    S3Output: { S3Uri: uri, LocalPath: outputPath(name), S3UploadMode: 'EndOfJob' },
  };
}

function processingStep(
  props: PipelineDefinitionProps,
  step: Pick<ProcessingStep, 'Name' | 'PropertyFiles'> & {
    command: string;
    options: Value[];
    inputs: object[];
    outputs: object[];
  },
): ProcessingStep {
  return {
    Name: step.Name,
    Type: 'Processing',
    Arguments: {
      AppSpecification: {
        ImageUri: props.processingImage,
        ContainerEntrypoint: ['node', '/app/main.js'],
        ContainerArguments: [step.command, '--use-case', props.useCase.name, ...step.options],
      },
      RoleArn: props.roleArn,
      ProcessingInputs: step.inputs,
      ProcessingOutputConfig: { KmsKeyId: props.kmsKeyArn, Outputs: step.outputs },
      ProcessingResources: {
        ClusterConfig: {
          InstanceCount: 1,
          InstanceType: props.processingInstanceType,
          VolumeSizeInGB: 30,
          VolumeKmsKeyId: props.kmsKeyArn,
        },
      },
      StoppingCondition: { MaxRuntimeInSeconds: props.maxRuntimeSeconds },
      // Inputs and outputs are the platform's work: the code needs no network.
      NetworkConfig: { EnableNetworkIsolation: true },
    },
    ...(step.PropertyFiles ? { PropertyFiles: step.PropertyFiles } : {}),
    CacheConfig: { Enabled: true, ExpireAfter: IN_A_MONTH },
    RetryPolicies: [SERVICE_RETRY, JOB_RETRY],
  };
}

function prepareDataset(props: PipelineDefinitionProps): ProcessingStep {
  return processingStep(props, {
    Name: PipelineStep.prepareDataset,
    command: BundleCommand.prepareDataset,
    options: [
      '--dataset-hash',
      get(`Parameters.${PipelineParameter.datasetHash}`),
      '--input',
      inputPath('partitions'),
      '--output',
      outputPath(),
    ],
    inputs: [processingInput('partitions', get(`Parameters.${PipelineParameter.inputManifest}`), 'ManifestFile')],
    outputs: SPLITS.map((split) => processingOutput(split, datasetUri(split))),
  });
}

/** Reading another step's output, rather than its URI again, is what orders the steps. */
function preparedSplit(split: (typeof SPLITS)[number]): Value {
  return get(`Steps.${PipelineStep.prepareDataset}.ProcessingOutputConfig.Outputs['${split}'].S3Output.S3Uri`);
}

function train(props: PipelineDefinitionProps): TrainingStep {
  const channel = (name: 'train' | 'validation'): object => ({
    ChannelName: name,
    ContentType: 'application/x-parquet',
    CompressionType: 'None',
    InputMode: 'File',
    DataSource: {
      S3DataSource: { S3DataType: 'S3Prefix', S3Uri: preparedSplit(name), S3DataDistributionType: 'FullyReplicated' },
    },
  });
  return {
    Name: PipelineStep.train,
    Type: 'Training',
    Arguments: {
      AlgorithmSpecification: { TrainingImage: props.trainingImage, TrainingInputMode: 'File' },
      HyperParameters: props.useCase.training.hyperparameters,
      InputDataConfig: [channel('train'), channel('validation')],
      OutputDataConfig: { S3OutputPath: executionUri(props, 'models'), KmsKeyId: props.kmsKeyArn },
      ResourceConfig: {
        InstanceCount: 1,
        InstanceType: props.trainingInstanceType,
        VolumeSizeInGB: 30,
        VolumeKmsKeyId: props.kmsKeyArn,
      },
      // No CheckpointConfig: the container would resume from a checkpoint of another dataset and train on top of it.
      StoppingCondition: {
        MaxRuntimeInSeconds: props.maxRuntimeSeconds,
        ...(props.spot ? { MaxWaitTimeInSeconds: 3600 } : {}),
      },
      EnableManagedSpotTraining: props.spot,
      EnableNetworkIsolation: true,
      EnableInterContainerTrafficEncryption: true,
      RoleArn: props.roleArn,
    },
    CacheConfig: { Enabled: true, ExpireAfter: IN_A_MONTH },
    RetryPolicies: [SERVICE_RETRY, JOB_RETRY],
  };
}

const MODEL = get(`Steps.${PipelineStep.train}.ModelArtifacts.S3ModelArtifacts`);

function evaluate(props: PipelineDefinitionProps): ProcessingStep {
  return processingStep(props, {
    Name: PipelineStep.evaluate,
    command: BundleCommand.evaluate,
    options: [
      ...['model', 'test', 'dataset'].flatMap((name) => [`--${name}`, inputPath(name)]),
      '--output',
      outputPath(REPORT_OUTPUT),
    ],
    inputs: [
      processingInput('model', MODEL),
      processingInput('test', preparedSplit('test')),
      processingInput('dataset', preparedSplit('dataset')),
    ],
    outputs: [processingOutput(REPORT_OUTPUT, executionUri(props, 'evaluations'))],
    PropertyFiles: [{ PropertyFileName: REPORT_FILE, OutputName: REPORT_OUTPUT, FilePath: EVALUATION_FILE }],
  });
}

function reportValue(path: string): Value {
  return {
    'Std:JsonGet': { PropertyFile: get(`Steps.${PipelineStep.evaluate}.PropertyFiles.${REPORT_FILE}`), Path: path },
  };
}

function qualityGate(props: PipelineDefinitionProps): ConditionStep {
  const { useCase } = props;
  return {
    Name: PipelineStep.gate,
    Type: 'Condition',
    Arguments: {
      Conditions: [{ Type: 'Equals', LeftValue: reportValue('gate.passed'), RightValue: true }],
      IfSteps: [
        {
          Name: PipelineStep.register,
          Type: 'RegisterModel',
          Arguments: {
            ModelPackageGroupName: props.modelPackageGroup,
            ModelApprovalStatus: 'PendingManualApproval',
            InferenceSpecification: {
              Containers: [{ Image: props.trainingImage, ModelDataUrl: MODEL }],
              SupportedContentTypes: ['text/csv'],
              SupportedResponseMIMETypes: ['text/csv'],
              SupportedRealtimeInferenceInstanceTypes: [props.trainingInstanceType],
              SupportedTransformInstanceTypes: [props.trainingInstanceType],
            },
            ModelMetrics: {
              ModelQuality: {
                Statistics: {
                  ContentType: 'application/json',
                  S3Uri: join(
                    '/',
                    get(
                      `Steps.${PipelineStep.evaluate}.ProcessingOutputConfig.Outputs['${REPORT_OUTPUT}'].S3Output.S3Uri`,
                    ),
                    EVALUATION_FILE,
                  ),
                },
              },
            },
            CustomerMetadataProperties: {
              useCase: useCase.name,
              datasetHash: get(`Parameters.${PipelineParameter.datasetHash}`),
              datasetDescription: join('/', datasetUri('dataset'), DATASET_FILE),
              metric: useCase.training.gate.metric,
            },
          },
          RetryPolicies: [SERVICE_RETRY],
        },
      ],
      ElseSteps: [
        {
          Name: PipelineStep.fail,
          Type: 'Fail',
          Arguments: { ErrorMessage: join(' ', 'The quality gate refused the model:', reportValue('gate.reason')) },
        },
      ],
    },
  };
}
