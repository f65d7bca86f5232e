/** The API as the real SDK speaks it, over the gateway. */
import {
  CreateModelPackageCommand,
  CreateModelPackageGroupCommand,
  CreatePipelineCommand,
  DeletePipelineCommand,
  DescribeModelPackageCommand,
  DescribeModelPackageGroupCommand,
  DescribePipelineCommand,
  DescribePipelineDefinitionForExecutionCommand,
  DescribePipelineExecutionCommand,
  DescribeTrainingJobCommand,
  ListModelPackageGroupsCommand,
  ListModelPackagesCommand,
  ListPipelineExecutionsCommand,
  ListPipelineExecutionStepsCommand,
  ListPipelineParametersForExecutionCommand,
  ListPipelinesCommand,
  SageMakerClient,
  StartPipelineExecutionCommand,
  UpdateModelPackageCommand,
  UpdatePipelineCommand,
} from '@aws-sdk/client-sagemaker';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { LocalSageMaker, ROLE, fail, get, processing } from './support/local-sagemaker';

let local: LocalSageMaker;
let gateway: Gateway;
let client: SageMakerClient;

beforeEach(async () => {
  local = new LocalSageMaker();
  gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
  gateway.add(local.service);
  client = new SageMakerClient({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'any' },
    maxAttempts: 1,
  });
});
afterEach(async () => {
  client.destroy();
  await gateway.close();
  await local.close();
});

const definition = (...steps: unknown[]): string =>
  JSON.stringify({
    Version: '2020-12-01',
    Metadata: {},
    Parameters: [{ Name: 'Word', Type: 'String', DefaultValue: 'none' }],
    Steps: steps,
  });
const create = (name: string, body = definition(fail('End', get('Parameters.Word')))): Promise<unknown> =>
  client.send(new CreatePipelineCommand({ PipelineName: name, RoleArn: ROLE, PipelineDefinition: body }));

describe('pipelines', () => {
  test('are created, described, updated, listed and deleted', async () => {
    expect(await create('My-Pipeline')).toMatchObject({
      PipelineArn: 'arn:aws:sagemaker:us-east-1:000000000000:pipeline/my-pipeline',
    });
    await create('Other');
    const body = definition(processing('P', ['say', 'x']));
    await client.send(
      new UpdatePipelineCommand({
        PipelineName: 'My-Pipeline',
        PipelineDefinition: body,
        PipelineDisplayName: 'Shown',
      }),
    );
    const described = await client.send(new DescribePipelineCommand({ PipelineName: 'My-Pipeline' }));
    expect(described).toMatchObject({
      PipelineDefinition: body,
      PipelineStatus: 'Active',
      RoleArn: ROLE,
      PipelineDisplayName: 'Shown',
    });
    expect(Math.abs(described.CreationTime!.getTime() - Date.now())).toBeLessThan(60_000);
    const { PipelineSummaries } = await client.send(
      new ListPipelinesCommand({ SortBy: 'Name', SortOrder: 'Ascending' }),
    );
    expect(PipelineSummaries!.map(({ PipelineName }) => PipelineName)).toEqual(['My-Pipeline', 'Other']);
    await client.send(new DeletePipelineCommand({ PipelineName: 'Other', ClientRequestToken: local.token() }));
    await expect(client.send(new DescribePipelineCommand({ PipelineName: 'Other' }))).rejects.toMatchObject({
      name: 'ResourceNotFound',
    });
  });

  test.each<[string, string, RegExp]>([
    ['Bad', '{', /Unable to parse pipeline definition/],
    [
      'Bad',
      definition(processing('P', [get('Parameters.Nope')])),
      /step P: Arguments\..*parameter Nope is not declared/,
    ],
    ['bad_name', definition(fail('End', 'x')), /PipelineName must match/],
  ])('%s with a faulty definition or name is refused', async (name, body, message) => {
    await expect(create(name, body)).rejects.toMatchObject({
      name: 'ValidationException',
      message: expect.stringMatching(message),
    });
  });

  test('a name in use is refused whatever its case', async () => {
    await create('Twice');
    await expect(create('twice')).rejects.toThrow(/already exists/);
  });

  test('an operation that is not there says so', async () => {
    await expect(local.call('CreateEndpoint', {})).rejects.toMatchObject({ code: 'UnknownOperationException' });
    await expect(local.call('constructor', {})).rejects.toMatchObject({ code: 'UnknownOperationException' });
  });
});

describe('executions', () => {
  beforeEach(() => create('Run'));

  test('a storm of one token starts one execution; the token with other parameters is a conflict', async () => {
    const token = 'a'.repeat(64);
    const start = (Value: string): Promise<{ PipelineExecutionArn?: string }> =>
      client.send(
        new StartPipelineExecutionCommand({
          PipelineName: 'Run',
          ClientRequestToken: token,
          PipelineParameters: [{ Name: 'Word', Value }],
        }),
      );
    const arns = new Set(
      (await Promise.all(Array.from({ length: 40 }, () => start('x')))).map(
        ({ PipelineExecutionArn }) => PipelineExecutionArn,
      ),
    );
    expect(arns.size).toBe(1);
    await local.ended([...arns][0]!);
    expect((await start('x')).PipelineExecutionArn).toBe([...arns][0]);
    const { PipelineExecutionSummaries } = await client.send(
      new ListPipelineExecutionsCommand({ PipelineName: 'Run' }),
    );
    expect(PipelineExecutionSummaries).toHaveLength(1);
    await expect(start('y')).rejects.toMatchObject({ name: 'ConflictException' });
  });

  test('the token survives a restart', async () => {
    const token = 'b'.repeat(64);
    const start = (): Promise<Record<string, unknown>> =>
      local.call('StartPipelineExecution', { PipelineName: 'Run', ClientRequestToken: token });
    const before = await start();
    await local.ended(String(before.PipelineExecutionArn));
    await local.service.close();
    local.open();
    expect(await start()).toEqual(before);
  });

  test('are described, with the definition and the parameters that they ran with', async () => {
    const { PipelineExecutionArn } = await client.send(
      new StartPipelineExecutionCommand({
        PipelineName: 'Run',
        PipelineExecutionDisplayName: 'first',
        PipelineParameters: [{ Name: 'Word', Value: 'stop here' }],
      }),
    );
    await local.ended(PipelineExecutionArn!);
    const described = await client.send(new DescribePipelineExecutionCommand({ PipelineExecutionArn }));
    expect(described).toMatchObject({
      PipelineExecutionStatus: 'Failed',
      PipelineExecutionDisplayName: 'first',
      FailureReason: expect.stringContaining('stop here'),
    });
    const { PipelineExecutionSteps } = await client.send(
      new ListPipelineExecutionStepsCommand({ PipelineExecutionArn }),
    );
    expect(PipelineExecutionSteps![0]).toMatchObject({
      StepName: 'End',
      StepStatus: 'Failed',
      AttemptCount: 1,
      Metadata: { Fail: { ErrorMessage: 'stop here' } },
      StartTime: expect.any(Date),
      EndTime: expect.any(Date),
    });
    await client.send(
      new UpdatePipelineCommand({ PipelineName: 'Run', PipelineDefinition: definition(fail('Other', 'x')) }),
    );
    const { PipelineDefinition } = await client.send(
      new DescribePipelineDefinitionForExecutionCommand({ PipelineExecutionArn }),
    );
    expect(PipelineDefinition).toContain('"End"');
    const { PipelineParameters } = await client.send(
      new ListPipelineParametersForExecutionCommand({ PipelineExecutionArn }),
    );
    expect(PipelineParameters).toEqual([{ Name: 'Word', Value: 'stop here' }]);
  });

  test('are listed newest first, in pages', async () => {
    const arns: string[] = [];
    for (let index = 0; index < 5; index++) arns.push(await local.start({}, 'Run'));
    await Promise.all(arns.map((arn) => local.ended(arn)));
    const seen: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await client.send(
        new ListPipelineExecutionsCommand({ PipelineName: 'Run', MaxResults: 2, NextToken }),
      );
      expect(page.PipelineExecutionSummaries!.length).toBeLessThanOrEqual(2);
      seen.push(...page.PipelineExecutionSummaries!.map(({ PipelineExecutionArn }) => PipelineExecutionArn!));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    expect(seen).toEqual([...arns].reverse());
  });

  test.each([
    [{ PipelineName: 'Nowhere' }, 'ResourceNotFound'],
    [{ PipelineName: 'Run', ClientRequestToken: 'short' }, 'ValidationException'],
    [{ PipelineName: 'Run', PipelineParameters: [{ Name: 'Wrod', Value: 'x' }] }, 'ValidationException'],
  ])('%j is refused', async (input, name) => {
    await expect(client.send(new StartPipelineExecutionCommand(input))).rejects.toMatchObject({ name });
  });

  test('jobs that are not there are a ValidationException, as with the service', async () => {
    await expect(client.send(new DescribeTrainingJobCommand({ TrainingJobName: 'none' }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('model registry', () => {
  const Containers = [{ Image: 'image', ModelDataUrl: 's3://bucket/model.tar.gz' }];
  const InferenceSpecification = {
    Containers,
    SupportedContentTypes: ['text/csv'],
    SupportedResponseMIMETypes: ['text/csv'],
  };
  const register = (more: object = {}): Promise<{ ModelPackageArn?: string }> =>
    client.send(new CreateModelPackageCommand({ ModelPackageGroupName: 'Models', InferenceSpecification, ...more }));

  beforeEach(async () => {
    await local.store.put('bucket', 'model.tar.gz', Buffer.from('model'));
    await client.send(new CreateModelPackageGroupCommand({ ModelPackageGroupName: 'Models' }));
  });

  test('versions count up in their group; approval changes and is told to EventBridge', async () => {
    const { ModelPackageArn } = await register();
    expect(ModelPackageArn).toBe('arn:aws:sagemaker:us-east-1:000000000000:model-package/Models/1');
    expect((await register()).ModelPackageArn).toMatch(/\/2$/);
    await client.send(
      new UpdateModelPackageCommand({
        ModelPackageArn,
        ModelApprovalStatus: 'Approved',
        ApprovalDescription: 'better',
        CustomerMetadataProperties: { by: 'me' },
      }),
    );
    const described = await client.send(new DescribeModelPackageCommand({ ModelPackageName: ModelPackageArn }));
    expect(described).toMatchObject({
      ModelApprovalStatus: 'Approved',
      ModelPackageStatus: 'Completed',
      CustomerMetadataProperties: { by: 'me' },
      InferenceSpecification,
    });
    const approved = await client.send(
      new ListModelPackagesCommand({ ModelPackageGroupName: 'Models', ModelApprovalStatus: 'Approved' }),
    );
    expect(approved.ModelPackageSummaryList!.map(({ ModelPackageVersion }) => ModelPackageVersion)).toEqual([1]);
    const events = local.events.filter((event) => event['detail-type'] === 'SageMaker Model Package State Change');
    expect(events).toHaveLength(3);
    expect(events[2]).toMatchObject({
      source: 'aws.sagemaker',
      resources: [ModelPackageArn],
      detail: {
        ModelPackageGroupName: 'Models',
        ModelPackageVersion: 1,
        ModelApprovalStatus: 'Approved',
        CreationTime: expect.any(Number),
      },
    });
  });

  test('groups are described and listed; a name in use is refused', async () => {
    expect(await client.send(new DescribeModelPackageGroupCommand({ ModelPackageGroupName: 'Models' }))).toMatchObject({
      ModelPackageGroupStatus: 'Completed',
    });
    expect((await client.send(new ListModelPackageGroupsCommand({}))).ModelPackageGroupSummaryList).toHaveLength(1);
    await expect(client.send(new CreateModelPackageGroupCommand({ ModelPackageGroupName: 'Models' }))).rejects.toThrow(
      /already exists/,
    );
  });

  test.each<[object, RegExp]>([
    [{ ModelPackageGroupName: 'Nothing' }, /does not exist/],
    [
      {
        InferenceSpecification: {
          ...InferenceSpecification,
          Containers: [{ Image: 'i', ModelDataUrl: 's3://bucket/gone' }],
        },
      },
      /Could not find model data/,
    ],
    [{ ModelApprovalStatus: 'Maybe' }, /ModelApprovalStatus must be one of/],
    [
      { CustomerMetadataProperties: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v'])) },
      /51 entries; at most 50/,
    ],
    [{ CustomerMetadataProperties: { long: 'x'.repeat(257) } }, /257 characters/],
  ])('%j is refused', async (more, message) => {
    await expect(register(more)).rejects.toMatchObject({
      name: 'ValidationException',
      message: expect.stringMatching(message),
    });
  });

  test('all of it survives a restart', async () => {
    const { ModelPackageArn } = await register();
    await local.service.close();
    local.open();
    expect(await local.call('DescribeModelPackage', { ModelPackageName: ModelPackageArn })).toMatchObject({
      ModelPackageVersion: 1,
    });
    expect(
      await local.call('CreateModelPackage', { ModelPackageGroupName: 'Models', InferenceSpecification }),
    ).toMatchObject({ ModelPackageArn: expect.stringMatching(/\/2$/) });
  });
});
