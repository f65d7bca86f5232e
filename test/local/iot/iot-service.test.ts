import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AddThingToThingGroupCommand,
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreatePolicyCommand,
  CreateProvisioningTemplateCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  CreateThingTypeCommand,
  CreateTopicRuleCommand,
  DeleteCertificateCommand,
  DeletePolicyCommand,
  DeleteThingCommand,
  DeleteTopicRuleCommand,
  DescribeCertificateCommand,
  DescribeEndpointCommand,
  DescribeProvisioningTemplateCommand,
  DescribeThingCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  GetPolicyCommand,
  GetTopicRuleCommand,
  IoTClient,
  ListAttachedPoliciesCommand,
  ListCertificatesCommand,
  ListPrincipalThingsCommand,
  ListThingPrincipalsCommand,
  ListThingsInThingGroupCommand,
  ListTopicRulesCommand,
  ReplaceTopicRuleCommand,
  UpdateCertificateCommand,
  paginateListThings,
} from '@aws-sdk/client-iot';
import { systemClock } from '../../../local/gateway/service';
import { IotService } from '../../../local/services/iot';
import { serve } from '../s3/serve';
import type { TestServer } from '../s3/serve';

let directory: string;
let service: IotService;
let server: TestServer;
let client: IoTClient;

async function start(): Promise<void> {
  service = new IotService({
    directory,
    clock: systemClock,
    actions: { kinesis: () => Promise.resolve(), sqs: () => Promise.resolve() },
  });
  server = await serve(service);
  client = new IoTClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'LOCALROOT0000000000', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
}

async function stop(): Promise<void> {
  client.destroy();
  await server.close();
  service.close();
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'iot-'));
  await start();
});

afterEach(async () => {
  await stop();
  rmSync(directory, { recursive: true, force: true });
});

const policyDocument = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: 'arn:aws:iot:us-east-1:000000000000:client/${iot:Connection.Thing.ThingName}',
    },
  ],
});
const topicRulePayload = {
  sql: "SELECT encode(*, 'base64') AS payload FROM 'dt/factory/+'",
  awsIotSqlVersion: '2016-03-23',
  actions: [
    {
      kinesis: { roleArn: 'arn:aws:iam::000000000000:role/rule', streamName: 'telemetry', partitionKey: '${topic(3)}' },
    },
  ],
};

test('things: create twice, describe, page, delete; with types and groups', async () => {
  await client.send(new CreateThingTypeCommand({ thingTypeName: 'press' }));
  for (let index = 0; index < 7; index++) {
    await client.send(
      new CreateThingCommand({
        thingName: `press-${index}`,
        thingTypeName: 'press',
        attributePayload: { attributes: { line: String(index % 2) } },
      }),
    );
  }
  const again = { thingName: 'press-1', thingTypeName: 'press', attributePayload: { attributes: { line: '1' } } };
  await client.send(new CreateThingCommand(again));
  await expect(client.send(new CreateThingCommand({ ...again, thingTypeName: undefined }))).rejects.toMatchObject({
    name: 'ResourceAlreadyExistsException',
  });
  await expect(client.send(new CreateThingCommand({ thingName: 'not/valid' }))).rejects.toMatchObject({
    name: 'InvalidRequestException',
  });
  await expect(client.send(new CreateThingCommand({ thingName: 'x', thingTypeName: 'unknown' }))).rejects.toMatchObject(
    { name: 'ResourceNotFoundException' },
  );
  expect(await client.send(new DescribeThingCommand({ thingName: 'press-3' }))).toMatchObject({
    thingArn: 'arn:aws:iot:us-east-1:000000000000:thing/press-3',
    thingTypeName: 'press',
    attributes: { line: '1' },
  });
  const names: string[] = [];
  for await (const page of paginateListThings({ client, pageSize: 3 }, { attributeName: 'line', attributeValue: '0' }))
    names.push(...page.things!.map(({ thingName }) => thingName!));
  expect(names).toEqual(['press-0', 'press-2', 'press-4', 'press-6']);

  await client.send(new CreateThingGroupCommand({ thingGroupName: 'factory' }));
  await client.send(new AddThingToThingGroupCommand({ thingGroupName: 'factory', thingName: 'press-2' }));
  expect((await client.send(new ListThingsInThingGroupCommand({ thingGroupName: 'factory' }))).things).toEqual([
    'press-2',
  ]);
  await client.send(new DeleteThingCommand({ thingName: 'press-0' }));
  await expect(client.send(new DescribeThingCommand({ thingName: 'press-0' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
});

test('a certificate is real: signed by the authority, with its own key, and outlives a restart with all attachments', async () => {
  const made = await client.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const certificate = new X509Certificate(made.certificatePem!);
  const authority = new X509Certificate(service.authority.certificatePem);
  expect(certificate.checkIssued(authority)).toBe(true);
  expect(certificate.verify(authority.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(made.keyPair!.PrivateKey!))).toBe(true);
  expect(createPublicKey(made.keyPair!.PublicKey!).equals(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(authority.ca).toBe(true);
  expect(made.certificateId).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());

  await client.send(new CreateThingCommand({ thingName: 'press-7' }));
  await client.send(new CreatePolicyCommand({ policyName: 'device', policyDocument }));
  await client.send(new AttachPolicyCommand({ policyName: 'device', target: made.certificateArn! }));
  await client.send(new AttachThingPrincipalCommand({ thingName: 'press-7', principal: made.certificateArn! }));
  await stop();
  await start();
  const described = (await client.send(new DescribeCertificateCommand({ certificateId: made.certificateId! })))
    .certificateDescription!;
  expect(described).toMatchObject({
    status: 'ACTIVE',
    certificatePem: made.certificatePem,
    certificateArn: made.certificateArn,
  });
  expect(described.creationDate!.getTime()).toBeGreaterThan(Date.now() - 60_000);
  expect(
    (await client.send(new ListAttachedPoliciesCommand({ target: made.certificateArn! }))).policies!.map(
      ({ policyName }) => policyName,
    ),
  ).toEqual(['device']);
  expect((await client.send(new ListThingPrincipalsCommand({ thingName: 'press-7' }))).principals).toEqual([
    made.certificateArn,
  ]);
  expect((await client.send(new ListPrincipalThingsCommand({ principal: made.certificateArn! }))).things).toEqual([
    'press-7',
  ]);
  expect((await client.send(new ListCertificatesCommand({}))).certificates).toHaveLength(1);
  expect(new X509Certificate(service.authority.certificatePem).fingerprint256).toBe(authority.fingerprint256);

  const { certificateId } = made;
  await expect(client.send(new DeleteCertificateCommand({ certificateId }))).rejects.toMatchObject({
    name: 'CertificateStateException',
  });
  await client.send(new UpdateCertificateCommand({ certificateId: certificateId!, newStatus: 'INACTIVE' }));
  await expect(client.send(new DeleteCertificateCommand({ certificateId }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await expect(client.send(new DeleteThingCommand({ thingName: 'press-7' }))).rejects.toMatchObject({
    name: 'InvalidRequestException',
  });
  await expect(client.send(new DeletePolicyCommand({ policyName: 'device' }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await client.send(new DetachThingPrincipalCommand({ thingName: 'press-7', principal: made.certificateArn! }));
  await client.send(new DetachPolicyCommand({ policyName: 'device', target: made.certificateArn! }));
  await client.send(new DeleteCertificateCommand({ certificateId }));
  await client.send(new DeletePolicyCommand({ policyName: 'device' }));
});

test('exclusive attachment: the certificate is one thing’s alone', async () => {
  const { certificateArn: principal } = await client.send(new CreateKeysAndCertificateCommand({}));
  for (const thingName of ['one', 'two']) await client.send(new CreateThingCommand({ thingName }));
  await client.send(
    new AttachThingPrincipalCommand({ thingName: 'one', principal: principal!, thingPrincipalType: 'EXCLUSIVE_THING' }),
  );
  await expect(
    client.send(new AttachThingPrincipalCommand({ thingName: 'two', principal: principal! })),
  ).rejects.toMatchObject({ name: 'InvalidRequestException' });
});

test('policies are checked when they are made', async () => {
  await client.send(new CreatePolicyCommand({ policyName: 'device', policyDocument }));
  expect((await client.send(new GetPolicyCommand({ policyName: 'device' }))).policyDocument).toBe(policyDocument);
  const statement = { Effect: 'Allow', Action: 'iot:*', Resource: '*' };
  const broken: [unknown, RegExp][] = [
    ['{', /no JSON/],
    [{ Version: '2012-10-17' }, /no Statement/],
    [{ Version: '2008-10-17', Statement: [statement] }, /Version/],
    [{ Version: '2012-10-17', Statement: [{ ...statement, Effect: 'Maybe' }] }, /Effect/],
    [{ Version: '2012-10-17', Statement: [{ ...statement, NotAction: 'x' }] }, /NotAction/],
    [
      {
        Version: '2012-10-17',
        Statement: [{ ...statement, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }],
      },
      /ipaddress is not evaluated/,
    ],
    [
      { Version: '2012-10-17', Statement: [{ ...statement, Resource: 'x/${iot:Nothing}' }] },
      /iot:Nothing is not evaluated/,
    ],
  ];
  for (const [document, message] of broken) {
    const sent = client.send(
      new CreatePolicyCommand({
        policyName: 'broken',
        policyDocument: typeof document === 'string' ? document : JSON.stringify(document),
      }),
    );
    await expect(sent).rejects.toMatchObject({
      name: 'MalformedPolicyException',
      message: expect.stringMatching(message),
    });
  }
});

test('rules: create, get, replace, list, delete; stored ones are compiled again after a restart', async () => {
  await client.send(new CreateTopicRuleCommand({ ruleName: 'app_factory', topicRulePayload }));
  await expect(
    client.send(new CreateTopicRuleCommand({ ruleName: 'app_factory', topicRulePayload })),
  ).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException' });
  await client.send(
    new ReplaceTopicRuleCommand({
      ruleName: 'app_factory',
      topicRulePayload: { ...topicRulePayload, ruleDisabled: true },
    }),
  );
  await stop();
  await start();
  const { rule, ruleArn } = await client.send(new GetTopicRuleCommand({ ruleName: 'app_factory' }));
  expect(ruleArn).toBe('arn:aws:iot:us-east-1:000000000000:rule/app_factory');
  expect(rule).toMatchObject({ ...topicRulePayload, ruleDisabled: true });
  expect((await client.send(new ListTopicRulesCommand({}))).rules).toMatchObject([
    { ruleName: 'app_factory', topicPattern: 'dt/factory/+', ruleDisabled: true },
  ]);
  await client.send(new DeleteTopicRuleCommand({ ruleName: 'app_factory' }));
  await expect(client.send(new GetTopicRuleCommand({ ruleName: 'app_factory' }))).rejects.toMatchObject({
    name: 'UnauthorizedException',
  });
});

test.each([
  [{ sql: "SELECT soundex(name) AS x FROM 'a'" }, 'SqlParseException', /Rule app_factory: soundex\(\) is no function/],
  [
    { awsIotSqlVersion: undefined },
    'InvalidRequestException',
    /Rule app_factory: awsIotSqlVersion is absent, which means 2015-10-08/,
  ],
  [
    { actions: [{ firehose: { roleArn: 'r', deliveryStreamName: 'd' } }] },
    'InvalidRequestException',
    /no firehose action; it has kinesis, sqs/,
  ],
  [
    { actions: [{ kinesis: { roleArn: 'r', streamName: '' } }] },
    'InvalidRequestException',
    /kinesis\.streamName must be a string/,
  ],
  [
    { actions: [{ kinesis: { roleArn: 'r', streamName: 's', partitionKey: '${nope()}' } }] },
    'SqlParseException',
    /nope\(\)/,
  ],
  [{ errorAction: { lambda: {} } }, 'InvalidRequestException', /lambda\.functionArn/],
])('a rule that cannot run is refused by name: %j', async (change, name, message) => {
  const payload = { ...topicRulePayload, ...change } as typeof topicRulePayload;
  await expect(
    client.send(new CreateTopicRuleCommand({ ruleName: 'app_factory', topicRulePayload: payload })),
  ).rejects.toMatchObject({
    name,
    message: expect.stringMatching(message),
  });
  expect((await client.send(new ListTopicRulesCommand({}))).rules).toEqual([]);
});

test('the data endpoint is the broker’s address, once it listens', async () => {
  const command = new DescribeEndpointCommand({ endpointType: 'iot:Data-ATS' });
  await expect(client.send(command)).rejects.toMatchObject({ name: 'ServiceUnavailableException' });
  const port = await service.listen(0);
  expect((await client.send(command)).endpointAddress).toBe(`127.0.0.1:${port}`);
  await service.stopListening();
});

test('provisioning templates are kept', async () => {
  const templateBody = JSON.stringify({ Parameters: {}, Resources: {} });
  await client.send(
    new CreateProvisioningTemplateCommand({
      templateName: 'fleet',
      templateBody,
      provisioningRoleArn: 'arn:aws:iam::000000000000:role/p',
      enabled: true,
    }),
  );
  expect(await client.send(new DescribeProvisioningTemplateCommand({ templateName: 'fleet' }))).toMatchObject({
    templateBody,
    enabled: true,
  });
});

test('an operation that the service does not have is refused by name', async () => {
  const { ListJobsCommand } = await import('@aws-sdk/client-iot');
  await expect(client.send(new ListJobsCommand({}))).rejects.toMatchObject({
    message: expect.stringContaining('GET /jobs'),
  });
});
