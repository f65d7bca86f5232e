import { EventBridgeClient, PutEventsCommand, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { EventBridgeService } from '../../../local/services/events/event-bridge-service';
import type { Target } from '../../../local/services/events/event-bridge-service';
import { ManualClock } from '../gateway/manual-clock';

const caller = new CredentialRegistry('000000000000').root;
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:buffer';
const DEAD = 'arn:aws:sqs:us-east-1:000000000000:dead';

describe('EventBridgeService', () => {
  let clock: ManualClock;
  let events: EventBridgeService;
  let delivered: { arn: string; payload: unknown }[];
  let dead: { queue: string; body: unknown; attributes: Readonly<Record<string, string>> }[];
  let failures: number;
  const lines: string[] = [];

  beforeEach(() => {
    clock = new ManualClock();
    delivered = [];
    dead = [];
    failures = 0;
    events = new EventBridgeService({
      clock,
      accountId: '000000000000',
      region: 'us-east-1',
      supports: (arn) => arn.includes(':sqs:'),
      deliver: async (target: Target, payload) => {
        if (failures > 0) {
          failures--;
          throw new Error('the queue is away');
        }
        delivered.push({ arn: target.Arn, payload: JSON.parse(payload) });
      },
      deadLetter: async (queue, body, attributes) => void dead.push({ queue, body: JSON.parse(body), attributes }),
      onLog: (line) => lines.push(line),
    });
  });
  afterEach(() => events.close());

  const call = (operation: string, input: Record<string, unknown>) => events.call(operation, input, caller);
  async function rule(target: Partial<Target> = {}): Promise<void> {
    await call('PutRule', { Name: 'sealed', EventPattern: JSON.stringify({ source: ['aws.s3'] }) });
    await call('PutTargets', { Rule: 'sealed', Targets: [{ Id: '1', Arn: QUEUE, ...target }] });
  }
  const sealed = {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    detail: { n: 1 },
    resources: ['arn:aws:s3:::lake'],
  };

  test('an event that matches reaches the target whole; another does not', async () => {
    await rule();
    await events.publish(sealed);
    await events.publish({ ...sealed, source: 'aws.sagemaker' });
    expect(delivered).toEqual([
      {
        arn: QUEUE,
        payload: {
          version: '0',
          id: expect.any(String),
          account: '000000000000',
          region: 'us-east-1',
          time: '2026-01-01T00:00:00Z',
          ...sealed,
        },
      },
    ]);
  });

  test('a disabled rule is silent until it is enabled', async () => {
    await rule();
    await call('DisableRule', { Name: 'sealed' });
    await events.publish(sealed);
    await call('EnableRule', { Name: 'sealed' });
    await events.publish(sealed);
    expect(delivered).toHaveLength(1);
  });

  test('a delivery that fails is tried again, waiting longer each time', async () => {
    await rule();
    failures = 3;
    await events.publish(sealed);
    expect(delivered).toEqual([]);
    await clock.advance(1_000 + 2_000);
    expect(delivered).toEqual([]);
    await clock.advance(4_000);
    expect(delivered).toHaveLength(1);
    expect(dead).toEqual([]);
  });

  test('after the last retry the event goes to the dead-letter queue, with the reason', async () => {
    await rule({ RetryPolicy: { MaximumRetryAttempts: 2 }, DeadLetterConfig: { Arn: DEAD } });
    failures = 3;
    await events.publish(sealed);
    await clock.advance(60_000);
    expect(delivered).toEqual([]);
    expect(dead).toMatchObject([
      { queue: DEAD, body: sealed, attributes: { TARGET_ARN: QUEUE, ERROR_MESSAGE: 'the queue is away' } },
    ]);
  });

  test('without a dead-letter queue the drop is told', async () => {
    await rule({ RetryPolicy: { MaximumEventAgeInSeconds: 60 } });
    failures = Infinity;
    await events.publish(sealed);
    await clock.advance(120_000);
    expect(lines.join()).toContain('rule sealed: an event was dropped');
  });

  test('putting a rule again keeps its targets; targets can be removed', async () => {
    await rule();
    await call('PutRule', { Name: 'sealed', EventPattern: JSON.stringify({ source: ['other'] }) });
    expect(await call('ListTargetsByRule', { Rule: 'sealed' })).toEqual({ Targets: [{ Id: '1', Arn: QUEUE }] });
    await expect(call('DeleteRule', { Name: 'sealed' })).rejects.toMatchObject({ code: 'ValidationException' });
    await call('RemoveTargets', { Rule: 'sealed', Ids: ['1'] });
    await call('DeleteRule', { Name: 'sealed' });
    await expect(call('DescribeRule', { Name: 'sealed' })).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
  });

  test('targets, schedules and patterns that cannot be served are refused', async () => {
    await rule();
    await expect(
      call('PutTargets', { Rule: 'sealed', Targets: [{ Id: '2', Arn: 'arn:aws:batch:::x' }] }),
    ).rejects.toThrow(/not served locally/);
    await expect(call('PutRule', { Name: 'timer', ScheduleExpression: 'rate(1 hour)' })).rejects.toThrow(
      /schedules are not served/,
    );
    await expect(call('PutRule', { Name: 'bad', EventPattern: '{"a":1}' })).rejects.toMatchObject({
      code: 'InvalidEventPatternException',
    });
  });

  test('serves the SDK: custom buses, and entries that fail one by one', async () => {
    const gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
    gateway.add(events);
    const client = new EventBridgeClient({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'x' },
    });
    await call('CreateEventBus', { Name: 'own' });
    await client.send(
      new PutRuleCommand({ Name: 'r', EventBusName: 'own', EventPattern: '{"detail":{"n":[{"numeric":[">",1]}]}}' }),
    );
    await client.send(
      new PutTargetsCommand({
        Rule: 'r',
        EventBusName: 'own',
        Targets: [{ Id: '1', Arn: QUEUE, InputPath: '$.detail' }],
      }),
    );
    const entry = { Source: 'app', DetailType: 't', EventBusName: 'own' };
    const { FailedEntryCount, Entries } = await client.send(
      new PutEventsCommand({
        Entries: [
          { ...entry, Detail: '{"n":2}' },
          { ...entry, Detail: '{' },
          { ...entry, Source: 'aws.s3', Detail: '{}' },
          { ...entry, EventBusName: 'default', Detail: '{"n":3}' },
        ],
      }),
    );
    expect([FailedEntryCount, Entries?.map(({ ErrorCode }) => ErrorCode)]).toEqual([
      2,
      [undefined, 'MalformedDetail', 'NotAuthorizedForSourceException', undefined],
    ]);
    expect(delivered).toEqual([{ arn: QUEUE, payload: { n: 2 } }]);
    client.destroy();
    await gateway.close();
  });
});
