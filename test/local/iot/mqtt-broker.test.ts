import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { connectAsync } from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { AwsError, systemClock } from '../../../local/gateway/service';
import { CertificateAuthority } from '../../../local/services/iot/authority';
import { IotService } from '../../../local/services/iot';
import type { RefusalLogEntry, RuleActions, RuleLogEntry } from '../../../local/services/iot';

const USE_CASE = 'dt/factory';
const RULE = 'app_factory';
const arn = (rest: string) => `arn:aws:iot:us-east-1:000000000000:${rest}`;
const thing = '${iot:Connection.Thing.ThingName}';
const devicePolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 'iot:Connect',
      Resource: arn(`client/${thing}`),
      Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
    },
    {
      Effect: 'Allow',
      Action: 'iot:Publish',
      Resource: [
        arn(`topic/${USE_CASE}/${thing}`),
        arn(`topic/$aws/rules/${RULE}/${USE_CASE}/${thing}`),
        arn('topic/free/*'),
      ],
    },
    {
      Effect: 'Allow',
      Action: 'iot:Subscribe',
      Resource: [arn(`topicfilter/commands/${thing}/+`), arn('topicfilter/free/#'), arn('topicfilter/out')],
    },
    {
      Effect: 'Allow',
      Action: 'iot:Receive',
      Resource: [arn(`topic/commands/${thing}/*`), arn('topic/free/open/*'), arn('topic/out')],
    },
    { Effect: 'Deny', Action: 'iot:Publish', Resource: arn('topic/free/secret/*') },
  ],
};

interface Put {
  readonly stream: string;
  readonly key: string;
  readonly record: Record<string, unknown>;
  readonly roleArn: string;
}

let directory: string;
let service: IotService;
let port: number;
let puts: Put[];
let queued: { queueUrl: string; body: string }[];
let log: (RuleLogEntry | RefusalLogEntry)[];
let actions: RuleActions;
const clients = new Set<MqttClient>();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mqtt-'));
  puts = [];
  queued = [];
  log = [];
  actions = {
    kinesis: async (stream, key, data, roleArn) =>
      void puts.push({ stream, key, record: JSON.parse(data.toString()) as Record<string, unknown>, roleArn }),
    sqs: async (queueUrl, body) => void queued.push({ queueUrl, body }),
  };
  const delegate: RuleActions = {
    kinesis: (...call) => actions.kinesis(...call),
    sqs: (...call) => actions.sqs(...call),
  };
  service = new IotService({ directory, clock: systemClock, actions: delegate, onLog: (entry) => log.push(entry) });
  await service.call('CreatePolicy', { policyName: 'device', policyDocument: JSON.stringify(devicePolicy) });
  await createRule(RULE, {});
  port = await service.listen(0);
});

afterEach(async () => {
  for (const client of clients) client.end(true);
  clients.clear();
  await service.stopListening();
  service.close();
  rmSync(directory, { recursive: true, force: true });
});

function createRule(ruleName: string, change: object): Promise<unknown> {
  const roleArn = 'arn:aws:iam::000000000000:role/rule';
  const topicRulePayload = {
    sql: `SELECT encode(*, 'base64') AS payload, topic() AS topic, topic(3) AS device, clientid() AS client, principal() AS principal FROM '${USE_CASE}/+'`,
    awsIotSqlVersion: '2016-03-23',
    actions: [{ kinesis: { roleArn, streamName: 'telemetry', partitionKey: '${topic(3)}' } }],
    errorAction: { sqs: { roleArn, queueUrl: 'http://queue/errors', useBase64: false } },
    ...change,
  };
  return service.call('CreateTopicRule', { ruleName, topicRulePayload });
}

interface Device {
  readonly certificateArn: string;
  readonly certificateId: string;
  readonly options: IClientOptions;
}

async function provision(
  name: string,
  { attach = true, policy = true, active = true, create = true } = {},
): Promise<Device> {
  if (create) await service.call('CreateThing', { thingName: name });
  const made = (await service.call('CreateKeysAndCertificate', { setAsActive: active })) as {
    certificateArn: string;
    certificateId: string;
    certificatePem: string;
    keyPair: { PrivateKey: string };
  };
  if (policy) await service.call('AttachPolicy', { policyName: 'device', target: made.certificateArn });
  if (attach) await service.call('AttachThingPrincipal', { thingName: name, principal: made.certificateArn });
  return {
    ...made,
    options: {
      ca: service.authority.certificatePem,
      cert: made.certificatePem,
      key: made.keyPair.PrivateKey,
      clientId: name,
      reconnectPeriod: 0,
      connectTimeout: 5_000,
    },
  };
}

async function open(device: Device, more: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(`mqtts://127.0.0.1:${port}`, { ...device.options, ...more }, false);
  clients.add(client);
  client.on('error', () => undefined);
  return client;
}

const closed = (client: MqttClient) =>
  new Promise<void>((resolve) => void (client.connected ? client.once('close', () => resolve()) : resolve()));
const until = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 500) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

describe('a message’s way', () => {
  test('an acknowledged publish is in the stream, byte for byte, named by its topic', async () => {
    const device = await provision('press-7');
    const client = await open(device);
    const payloads = [
      Buffer.from([0, 255, 10]),
      Buffer.from('{"deviceId":"forged"'),
      Buffer.alloc(128 * 1024, 'x'),
      Buffer.alloc(0),
    ];
    for (const payload of payloads) await client.publishAsync(`${USE_CASE}/press-7`, payload, { qos: 1 });
    expect(puts.map(({ record }) => Buffer.from(record['payload'] as string, 'base64'))).toEqual(payloads);
    expect(puts[0]).toMatchObject({
      stream: 'telemetry',
      key: 'press-7',
      roleArn: 'arn:aws:iam::000000000000:role/rule',
      record: { topic: `${USE_CASE}/press-7`, device: 'press-7', client: 'press-7', principal: device.certificateId },
    });
  });

  test('Basic Ingest reaches its rule alone, without the prefix and without FROM being looked at', async () => {
    await createRule('other', { sql: "SELECT topic() AS topic, topic(1) AS first FROM 'no/match'" });
    await service.call('CreatePolicy', {
      policyName: 'ingest',
      policyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Allow', Action: 'iot:Publish', Resource: arn('topic/$aws/rules/*') },
      }),
    });
    const device = await provision('press-7');
    await service.call('AttachPolicy', { policyName: 'ingest', target: device.certificateArn });
    const client = await open(device);
    await client.publishAsync(`$aws/rules/${RULE}/${USE_CASE}/press-7`, 'x', { qos: 1 });
    await client.publishAsync('$aws/rules/other/somewhere/else', 'x', { qos: 1 });
    await client.publishAsync('$aws/rules/unknown/somewhere/else', 'x', { qos: 1 });
    expect(puts.map(({ record }) => record['topic'])).toEqual([`${USE_CASE}/press-7`, 'somewhere/else']);
    expect(log).toEqual([expect.objectContaining({ event: 'UnknownRule', ruleName: 'unknown' })]);
  });

  test('no PUBACK comes before the action has accepted the message', async () => {
    let accept: () => void = () => undefined;
    actions = { ...actions, kinesis: () => new Promise((resolve) => (accept = resolve)) };
    const client = await open(await provision('press-7'));
    let acknowledged = false;
    const publishing = client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 }).then(() => (acknowledged = true));
    await until(() => service.rules.counts.routed === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(acknowledged).toBe(false);
    accept();
    await publishing;
  });

  test('the messages of one device reach the stream in the order it sent them', async () => {
    const client = await open(await provision('press-7'));
    const order = Array.from({ length: 500 }, (_, index) => String(index));
    await Promise.all(order.map((text) => client.publishAsync(`${USE_CASE}/press-7`, text, { qos: 1 })));
    expect(puts.map(({ record }) => Buffer.from(record['payload'] as string, 'base64').toString())).toEqual(order);
  });

  test('a throttled stream slows the device down; nothing goes to the error action', async () => {
    let refusals = 3;
    const accept = actions.kinesis;
    actions = {
      ...actions,
      kinesis: async (...call) => {
        if (refusals-- > 0) throw new AwsError('ProvisionedThroughputExceededException', 'Rate exceeded');
        return accept(...call);
      },
    };
    const client = await open(await provision('press-7'));
    await client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    expect(puts).toHaveLength(1);
    expect(queued).toEqual([]);
  });

  test('what an action refuses goes to the error action in AWS’s shape, and is acknowledged', async () => {
    actions = {
      ...actions,
      kinesis: async () => Promise.reject(new AwsError('ResourceNotFoundException', 'Stream telemetry not found')),
    };
    const payload = Buffer.from([0, 255, 1]);
    const client = await open(await provision('press-7'));
    await client.publishAsync(`${USE_CASE}/press-7`, payload, { qos: 1 });
    expect(queued).toHaveLength(1);
    expect(queued[0]!.queueUrl).toBe('http://queue/errors');
    expect(JSON.parse(queued[0]!.body)).toEqual({
      ruleName: RULE,
      topic: `${USE_CASE}/press-7`,
      cloudwatchTraceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      clientId: 'press-7',
      base64OriginalPayload: payload.toString('base64'),
      failures: [
        {
          failedAction: 'KinesisAction',
          failedResource: 'telemetry',
          errorMessage: 'ResourceNotFoundException: Stream telemetry not found',
        },
      ],
    });
  });

  test('where the error action fails too, the device gets no PUBACK and can send again', async () => {
    const denied = async () => Promise.reject(new AwsError('AccessDeniedException', 'no'));
    const accept = actions.kinesis;
    actions = { kinesis: denied, sqs: denied };
    const device = await provision('press-7');
    const client = await open(device);
    client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 }).catch(() => undefined);
    await closed(client);
    actions = { ...actions, kinesis: accept };
    await (await open(device)).publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    expect(puts).toHaveLength(1);
    expect(log.map(({ event }) => event)).toEqual(['ActionFailed', 'ErrorActionFailed', 'Refused']);
  });

  test('a fault of the SQL goes to the log, not to the error action; no payload is in the log', async () => {
    await createRule('typed', { sql: "SELECT temperature FROM 'free/+'" });
    const client = await open(await provision('press-7'));
    await client.publishAsync('free/x', 'secret words', { qos: 1 });
    expect(log).toEqual([expect.objectContaining({ event: 'SqlFault', ruleName: 'typed', topic: 'free/x' })]);
    expect(queued).toEqual([]);
    expect(JSON.stringify(log)).not.toContain('secret words');
  });

  test('republish reaches subscribers and other rules; a loop ends', async () => {
    await createRule('again', {
      sql: "SELECT VALUE topic(2) FROM 'free/+'",
      actions: [{ republish: { roleArn: 'r', topic: 'out', qos: 1 } }],
    });
    await createRule('counts', { sql: "SELECT clientid() AS client FROM 'out'" });
    await createRule('loops', {
      sql: "SELECT * FROM 'free/a/loop'",
      actions: [{ republish: { roleArn: 'r', topic: 'free/a/loop' } }],
    });
    const client = await open(await provision('press-7'));
    const received: string[] = [];
    client.on('message', (topic, payload) => received.push(`${topic} ${payload.toString()}`));
    await client.subscribeAsync('out', { qos: 1 });
    await client.publishAsync('free/one', 'x', { qos: 1 });
    await until(() => received.length === 1);
    expect(received).toEqual(['out one']);
    expect(puts.map(({ record }) => record)).toEqual([{ client: 'n/a' }]);
    await client.publishAsync('free/a/loop', 'x', { qos: 1 });
    expect(log.filter(({ event }) => event === 'RepublishLoop')).toHaveLength(1);
  });
});

describe('who may do what', () => {
  const refused = async (device: Device, more: IClientOptions = {}) => {
    await expect(open(device, more)).rejects.toThrow();
    return log.filter(({ event }) => event === 'Refused').map((entry) => (entry as RefusalLogEntry).detail);
  };

  test('no certificate, or one of another authority: the connection ends before MQTT', async () => {
    const stranger = CertificateAuthority.open(join(directory, 'stranger'), Date.now()).issueDeviceCertificate(
      Date.now(),
    );
    for (const credentials of [{}, { cert: stranger.certificatePem, key: stranger.privateKeyPem }]) {
      const socket = connect({ host: '127.0.0.1', port, ca: service.authority.certificatePem, ...credentials });
      const answers: Buffer[] = [];
      socket.on('data', (data) => answers.push(data));
      socket.on('error', () => undefined);
      // A CONNECT of client id "x".
      socket.write(Buffer.from([0x10, 13, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 60, 0, 1, ...Buffer.from('x')]));
      await new Promise((resolve) => socket.once('close', resolve));
      expect(answers).toEqual([]);
    }
    expect(log).toEqual([expect.objectContaining({ action: 'TLS' }), expect.objectContaining({ action: 'TLS' })]);
  });

  test('TLS below 1.2 is refused', async () => {
    await expect(
      new Promise((resolve, reject) => {
        connect(
          {
            host: '127.0.0.1',
            port,
            maxVersion: 'TLSv1.1',
            minVersion: 'TLSv1',
            rejectUnauthorized: false,
            ciphers: 'DEFAULT@SECLEVEL=0',
          },
          () => resolve('connected'),
        ).on('error', reject);
      }),
    ).rejects.toThrow();
  });

  test('an inactive certificate, no policy, an unattached thing, another’s name', async () => {
    expect(await refused(await provision('inactive', { active: false }))).toEqual([
      expect.stringContaining('not ACTIVE'),
    ]);
    await refused(await provision('unpolicied', { policy: false }));
    await refused(await provision('unattached', { attach: false }));
    const device = await provision('press-7');
    await provision('press-8');
    expect(await refused(device, { clientId: 'press-8' })).toContain(
      'no policy of the certificate allows iot:Connect on client/press-8',
    );
    await refused(device, { clientId: '*' });
    await open(device);
  });

  test.each([
    ['another’s topic', `${USE_CASE}/press-8`, 'x', 1],
    ['a topic that a Deny names', 'free/secret/plans', 'x', 1],
    ['Basic Ingest with another suffix', `$aws/rules/${RULE}/no/match/here`, 'x', 1],
    ['a reserved topic', '$SYS/x', 'x', 1],
    ['QoS 2', `${USE_CASE}/press-7`, 'x', 2],
    ['more than 128 KB', `${USE_CASE}/press-7`, Buffer.alloc(128 * 1024 + 1), 1],
    ['a topic of 257 bytes', `free/${'x'.repeat(252)}`, 'x', 1],
    ['a topic of 9 levels', 'free/2/3/4/5/6/7/8/9', 'x', 1],
  ] as const)('publishing %s ends the connection and reaches no rule', async (_name, topic, payload, qos) => {
    const client = await open(await provision('press-7'));
    client.publishAsync(topic, payload, { qos }).catch(() => undefined);
    await closed(client);
    expect(puts).toEqual([]);
    expect(log).toEqual([expect.objectContaining({ event: 'Refused', action: 'iot:Publish', clientId: 'press-7' })]);
  });

  test('retaining needs iot:RetainPublish', async () => {
    const client = await open(await provision('press-7'));
    client.publishAsync('free/x', 'x', { qos: 1, retain: true }).catch(() => undefined);
    await closed(client);
  });

  test('a subscription that no policy allows fails in the SUBACK; iot:Receive filters what comes', async () => {
    const client = await open(await provision('press-7'));
    await expect(client.subscribeAsync('commands/press-8/+', { qos: 1 })).rejects.toThrow();
    await expect(client.subscribeAsync('#', { qos: 0 })).rejects.toThrow();
    await client.subscribeAsync(['commands/press-7/+', 'free/#'], { qos: 1 });
    const received: string[] = [];
    client.on('message', (topic) => received.push(topic));
    await client.publishAsync('free/closed/x', 'x', { qos: 1 });
    await client.publishAsync('free/open/x', 'x', { qos: 1 });
    await until(() => received.length > 0);
    expect(received).toEqual(['free/open/x']);
    expect(client.connected).toBe(true);
  });

  test('a policy detached, or a certificate made inactive, holds from the next publish on', async () => {
    const device = await provision('press-7');
    const client = await open(device);
    await client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    await service.call('UpdateCertificate', { certificateId: device.certificateId, newStatus: 'INACTIVE' });
    client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 }).catch(() => undefined);
    await closed(client);
    expect(puts).toHaveLength(1);
  });

  test('policies of the thing’s group count', async () => {
    await service.call('CreateThingGroup', { thingGroupName: 'presses' });
    await service.call('AttachPolicy', { policyName: 'device', target: arn('thinggroup/presses') });
    const device = await provision('press-7', { policy: false });
    await expect(open(device)).rejects.toThrow();
    await service.call('AddThingToThingGroup', { thingGroupName: 'presses', thingName: 'press-7' });
    const client = await open(device);
    await client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    expect(puts).toHaveLength(1);
  });

  test('a certificate that is one thing’s alone names that thing, whatever the client id', async () => {
    await service.call('CreatePolicy', {
      policyName: 'any-client',
      policyDocument: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: arn('client/${iot:ClientId}') }],
      }),
    });
    const device = await provision('press-7', { attach: false });
    await service.call('AttachPolicy', { policyName: 'any-client', target: device.certificateArn });
    await service.call('AttachThingPrincipal', {
      thingName: 'press-7',
      principal: device.certificateArn,
      thingPrincipalType: 'EXCLUSIVE_THING',
    });
    const client = await open(device, { clientId: 'session-1' });
    await client.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    expect(puts).toHaveLength(1);
  });

  test('a second connection of a client id ends the first', async () => {
    const device = await provision('press-7');
    const first = await open(device);
    const second = await open(device);
    await closed(first);
    await second.publishAsync(`${USE_CASE}/press-7`, 'x', { qos: 1 });
    expect(puts).toHaveLength(1);
    expect(service.broker.counts.connected).toBe(1);
  });
});

test('a port that is taken is reported, and the broker can listen elsewhere and again', async () => {
  const other = new IotService({ directory: join(directory, 'other'), clock: systemClock, actions });
  await expect(other.listen(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await other.listen(0);
  await other.stopListening();
  await other.listen(0);
  await other.stopListening();
  other.close();
});
