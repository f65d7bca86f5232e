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
import type { Caller } from '../local/gateway/service';
import { LocalRun } from '../local/runtime/local-run';
import { S3Listing, type Lake } from '../operations/lake';
import { useCases } from '../use-cases';
import type { UseCase } from '../use-cases/define-use-case';
import { SERVICES, type ServiceName } from './plan';
import { TcpProxy, type After } from './tcp-proxy';

export type Proxies = Readonly<Record<ServiceName, TcpProxy>>;

const FLEET = 'chaos';

interface ListedTasks {
  readonly taskArns: readonly string[];
}

interface DescribedTasks {
  readonly tasks: readonly { readonly containers: readonly { readonly exitCode?: number }[] }[];
}

export class Stage {
  readonly kinesis: KinesisClient;
  readonly status: PipelineStatus;
  readonly lake: Lake;
  private readonly sagemaker: SageMakerClient;
  private readonly devices: Device[] = [];
  /** Of the consumer's tasks. */
  private readonly cluster: string;

  private constructor(
    readonly run: LocalRun,
    readonly proxies: Proxies,
    private readonly stateDirectory: string,
  ) {
    const client = { endpoint: run.endpoint, region: localRegion, credentials: localCredentials };
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    const dynamodb = new DynamoDBClient(client);
    this.kinesis = new KinesisClient(client);
    this.cluster = run.services.ecs.runningTasks()[0]!.context.cluster;
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

  static async open(assembly: string, stateDirectory: string, after: After): Promise<Stage> {
    const listening = await Promise.all(
      SERVICES.map(async (service) => [service, await TcpProxy.listen(after)] as const),
    );
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

  /** How the tasks that have ended did so: number of tasks by exit code, such as 137 for SIGKILL; 143 for SIGTERM. */
  async exitCodes(): Promise<Record<string, number>> {
    const { ecs } = this.run.services;
    const caller: Caller = { accessKeyId: '', principalArn: 'chaos' };
    const { cluster } = this;
    const listed = await ecs.call('ListTasks', { cluster, desiredStatus: 'STOPPED' }, caller);
    const described = await ecs.call('DescribeTasks', { cluster, tasks: (listed as ListedTasks).taskArns }, caller);
    const codes: Record<string, number> = {};
    for (const { exitCode } of (described as DescribedTasks).tasks.flatMap(({ containers }) => containers)) {
      if (exitCode !== undefined) codes[exitCode] = (codes[exitCode] ?? 0) + 1;
    }
    return codes;
  }

  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.close()));
    await this.run.stop();
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy.close()));
  }
}
