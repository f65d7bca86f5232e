import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  ListPipelineExecutionsCommand,
  type SageMakerClient,
  StartPipelineExecutionCommand,
} from '@aws-sdk/client-sagemaker';
import { datasetManifestKey, datasetPrefix } from '../../lib/contracts/lake-layout';
import { PipelineParameter, type TrainingTarget } from '../../lib/contracts/training';
import { type Dataset, startToken } from './decide';

export interface TrainingExecutionsOptions {
  readonly s3: Pick<S3Client, 'send'>;
  readonly sageMaker: Pick<SageMakerClient, 'send'>;
  readonly lakeBucket: string;
  readonly artifactBucket: string;
}

/** Statuses of an execution that still uses the pipeline. */
const UNDER_WAY = new Set(['Executing', 'Stopping']);

/** Dataset manifests and pipeline executions. */
export class TrainingExecutions {
  constructor(private readonly options: TrainingExecutionsOptions) {}

  /** Whether one of the newest executions is under way, those that a person started included. */
  async isRunning({ pipelineName }: TrainingTarget): Promise<boolean> {
    const { PipelineExecutionSummaries = [] } = await this.options.sageMaker.send(
      new ListPipelineExecutionsCommand({
        PipelineName: pipelineName,
        SortBy: 'CreationTime',
        SortOrder: 'Descending',
        MaxResults: 20,
      }),
    );
    return PipelineExecutionSummaries.some(({ PipelineExecutionStatus: status }) => UNDER_WAY.has(status ?? ''));
  }

  /**
   * Writes the ManifestFile that the first step reads. The key holds the dataset's hash: writing it again changes nothing.
   * @see https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html
   */
  async putManifest(useCase: string, dataset: Dataset): Promise<void> {
    await this.options.s3.send(
      new PutObjectCommand({
        Bucket: this.options.artifactBucket,
        Key: datasetManifestKey(useCase, dataset.hash),
        ContentType: 'application/json',
        Body: JSON.stringify([{ prefix: `s3://${this.options.lakeBucket}/` }, ...dataset.files]),
      }),
    );
  }

  /** Starts the execution for a dataset, or finds the one that the same token started. Returns its ARN. */
  async start(useCase: string, target: TrainingTarget, datasetHash: string): Promise<string> {
    const uri = (key: string): string => `s3://${this.options.artifactBucket}/${key}`;
    const { PipelineExecutionArn } = await this.options.sageMaker.send(
      new StartPipelineExecutionCommand({
        PipelineName: target.pipelineName,
        PipelineExecutionDisplayName: `dataset-${datasetHash.slice(0, 16)}`,
        ClientRequestToken: startToken(useCase, datasetHash, target.definitionHash),
        PipelineParameters: [
          { Name: PipelineParameter.datasetHash, Value: datasetHash },
          { Name: PipelineParameter.inputManifest, Value: uri(datasetManifestKey(useCase, datasetHash)) },
          { Name: PipelineParameter.dataset, Value: uri(datasetPrefix(useCase, datasetHash)) },
        ],
      }),
    );
    if (!PipelineExecutionArn) throw new Error(`StartPipelineExecution of ${target.pipelineName} named no execution`);
    return PipelineExecutionArn;
  }
}
