/** A local run of a round's own, whose tasks reach Kinesis, DynamoDB and S3 through proxies, and clients to look at it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import {
  ListPipelineExecutionsCommand,
  ListPipelineParametersForExecutionCommand,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker';
import { Device } from '../bin/support/device';
import { deviceNames, mqttEndpoint, provisionFleet } from '../bin/support/fleet';
import { pipelineOutput } from '../bin/support/local-session';
import { PipelineStatus } from '../bin/support/pipeline-status';
import { DEVICE_POLICY_OUTPUT, localAuthority, localCredentials, localFleet, localRegion } from '../bin/support/target';
import { adapters } from '../consumer/kcl';
import { DynamoDbRegistryStore } from '../consumer/lake/stores/dynamodb-registry-store';
import { S3ObjectStore } from '../consumer/lake/stores/s3-object-store';
import { PipelineParameter } from '../lib/contracts/training';
import { LocalRun } from '../local/runtime/local-run';
import { S3Listing, type Lake } from '../operations/lake';
import { useCases } from '../use-cases';
import type { UseCase } from '../use-cases/define-use-case';
import { SERVICES, type ServiceName } from './plan';
import { TcpProxy } from './tcp-proxy';

export type Proxies = Readonly<Record<ServiceName, TcpProxy>>;

const FLEET = 'chaos';

export class Stage {
  readonly kinesis: KinesisClient;
  readonly status: PipelineStatus;
  readonly lake: Lake;
  private readonly sagemaker: SageMakerClient;
  private readonly devices: Device[] = [];

  private constructor(
    readonly run: LocalRun,
    readonly proxies: Proxies,
    private readonly stateDirectory: string,
  ) {
    const client = { endpoint: run.endpoint, region: localRegion, credentials: localCredentials };
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    const dynamodb = new DynamoDBClient(client);
    this.kinesis = new KinesisClient(client);
    this.sagemaker = new SageMakerClient(client);
    const registryTable = this.output('RegistryTableName');
    const bucket = this.output('LakeBucketName');
    this.lake = {
      registry: new DynamoDbRegistryStore(dynamodb, registryTable, adapters.systemClock),
      objects: new S3ObjectStore(s3, bucket, adapters.systemClock),
      listing: new S3Listing(s3, bucket),
    };
    const pipelines = Object.fromEntries(useCases.map(({ name }) => [name, this.pipeline(name)]));
    this.status = new PipelineStatus({ dynamodb, s3, sagemaker: this.sagemaker, registryTable, pipelines });
  }

  static async open(assembly: string, stateDirectory: string): Promise<Stage> {
    const listening = await Promise.all(SERVICES.map(async (service) => [service, await TcpProxy.listen()] as const));
    const proxies = Object.fromEntries(listening) as unknown as Proxies;
    // As the SDK reads it: an endpoint for one service goes before the one for all.
    const taskEnvironment = Object.fromEntries(
      listening.map(([service, proxy]) => [`AWS_ENDPOINT_URL_${service.toUpperCase()}`, proxy.url]),
    );
    const run = await LocalRun.start({ assembly, stateDirectory, port: 0, mqttPort: 0, taskEnvironment });
    for (const proxy of Object.values(proxies)) proxy.forwardTo(run.endpoint);
    return new Stage(run, proxies, stateDirectory);
  }

  output(name: string): string {
    const value = this.run.outputs[name];
    if (value === undefined) throw new Error(`the stacks have no output ${name}`);
    return value;
  }

  private pipeline(useCase: string): string {
    return this.output(pipelineOutput(useCase));
  }

  /** Connected devices of a use case. */
  async connectDevices(useCase: UseCase, count: number): Promise<Device[]> {
    const fleet = localFleet(this.stateDirectory, this.run.endpoint, this.output(DEVICE_POLICY_OUTPUT));
    const names = deviceNames(useCase.name, FLEET, count);
    const endpoint = await mqttEndpoint(fleet.iot, localAuthority(this.stateDirectory));
    const identities = await provisionFleet({ ...fleet, useCase: useCase.name, names });
    const connected = await Promise.all(identities.map((identity) => Device.connect(identity, endpoint)));
    this.devices.push(...connected);
    return connected;
  }

  /** Dataset hashes of a use case's executions, one for each execution. */
  async datasets(useCase: string): Promise<string[]> {
    const { PipelineExecutionSummaries = [] } = await this.sagemaker.send(
      new ListPipelineExecutionsCommand({ PipelineName: this.pipeline(useCase) }),
    );
    return Promise.all(
      PipelineExecutionSummaries.map(async ({ PipelineExecutionArn }) => {
        const { PipelineParameters = [] } = await this.sagemaker.send(
          new ListPipelineParametersForExecutionCommand({ PipelineExecutionArn }),
        );
        return PipelineParameters.find(({ Name }) => Name === PipelineParameter.datasetHash)?.Value ?? '';
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()));
    await this.run.stop();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy.close()));
  }
}
