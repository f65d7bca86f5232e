/** The local run does what the templates say: a changed rule statement changes what reaches the stream, and nothing else is edited. */
import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { CfnService } from 'aws-cdk-lib/aws-ecs';
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { buildApp } from '../../bin/app';
import { Device } from '../../bin/support/device';
import { mqttEndpoint, provisionFleet } from '../../bin/support/fleet';
import {
  DEVICE_POLICY_OUTPUT,
  localAuthority,
  localCredentials,
  localFleet,
  localRegion,
} from '../../bin/support/target';
import { LocalRun } from '../../local/runtime/local-run';
import { newStateDirectory } from './support/run';

const USE_CASE = 'sensor-monitoring';

async function recordsAfterPublish(changeSql: (sql: string) => string): Promise<Record<string, unknown>[]> {
  const state = newStateDirectory();
  const assembly = path.join(state, 'cdk.out');
  const app = buildApp('local', assembly);
  for (const node of app.node.findAll()) {
    // No consumer: the test reads the stream itself.
    if (node instanceof CfnService) node.desiredCount = 0;
    if (node instanceof CfnTopicRule) {
      node.addPropertyOverride(
        'TopicRulePayload.Sql',
        changeSql((node.topicRulePayload as CfnTopicRule.TopicRulePayloadProperty).sql),
      );
    }
  }
  app.synth();
  const run = await LocalRun.start({ assembly, stateDirectory: state, port: 0, mqttPort: 0 });
  try {
    const fleet = localFleet(state, run.endpoint, run.outputs[DEVICE_POLICY_OUTPUT] ?? '');
    const [identity] = await provisionFleet({ ...fleet, useCase: USE_CASE, names: ['one'] });
    const device = await Device.connect(identity!, await mqttEndpoint(fleet.iot, localAuthority(state)));
    await device.publish(Buffer.from('{"temperature": 21}'), () => {});
    await device.drain();
    await device.close();
    return await readStream(run.endpoint, run.outputs['StreamName'] ?? '');
  } finally {
    await run.stop();
    rmSync(state, { recursive: true, force: true });
  }
}

async function readStream(endpoint: string, StreamName: string): Promise<Record<string, unknown>[]> {
  const kinesis = new KinesisClient({ endpoint, region: localRegion, credentials: localCredentials });
  const found: Record<string, unknown>[] = [];
  for (const { ShardId } of (await kinesis.send(new ListShardsCommand({ StreamName }))).Shards ?? []) {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
    for (const record of Records ?? [])
      found.push(JSON.parse(Buffer.from(record.Data ?? []).toString()) as Record<string, unknown>);
  }
  kinesis.destroy();
  return found;
}

it('puts the envelope of the rule in lib/ on the stream', async () => {
  const [envelope] = await recordsAfterPublish((sql) => sql);
  expect(envelope).toEqual({
    payload: Buffer.from('{"temperature": 21}').toString('base64'),
    topic: `dt/${USE_CASE}/one`,
    device: 'one',
    received: expect.any(Number),
  });
});

it('follows a changed statement', async () => {
  const [envelope] = await recordsAfterPublish((sql) =>
    sql.replace('topic(3) AS device', "concat('unit-', topic(3)) AS device, temperature * 2 AS twice"),
  );
  expect(envelope).toMatchObject({ device: 'unit-one', twice: 42 });
});
