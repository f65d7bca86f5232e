/**
 * An environment that reads by enhanced fan-out and publishes KCL's metrics, from its templates: the consumer is registered, the
 * task subscribes by it and writes the metrics into its log.
 */
import { App } from 'aws-cdk-lib';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import cdkJson from '../../cdk.json';
import { Device } from '../../bin/support/device';
import { mqttEndpoint, provisionFleet } from '../../bin/support/fleet';
import { DEVICE_POLICY_OUTPUT, localAuthority, localFleet } from '../../bin/support/target';
import { loadConfig } from '../../lib/config/environments';
import { bundleConsumer } from '../../lib/constructs/compute/consumer-bundle';
import { READINGS_PREFIX } from '../../lib/contracts/lake-layout';
import { PipelineStage } from '../../lib/stacks/pipeline-stage';
import { LocalRun } from '../../local/runtime/local-run';
import { useCases } from '../../use-cases';
import { newStateDirectory, until } from './support/run';

const USE_CASE = 'sensor-monitoring';

function synthesizeWithFanOut(outdir: string): void {
  const local = loadConfig('local');
  const app = new App({ outdir, context: cdkJson.context, builtinCloudFormationValidation: false });
  const config = {
    ...local,
    consumer: { ...local.consumer, tasks: { mode: 'fixed', count: 1 }, retrieval: 'fan-out', metricsLevel: 'SUMMARY' },
  } as const;
  new PipelineStage(app, 'Telemetry-local', { config, useCases, bundle: bundleConsumer() });
  app.synth();
}

interface EmbeddedMetric {
  readonly _aws: { readonly CloudWatchMetrics: readonly { readonly Namespace: string }[] };
  readonly Operation?: string;
}

function embeddedMetrics(logs: string): EmbeddedMetric[] {
  return (readdirSync(logs, { recursive: true }) as string[])
    .filter((leaf) => leaf.includes('Consumer') && leaf.endsWith('.log'))
    .flatMap((leaf) => readFileSync(path.join(logs, leaf), 'utf8').split('\n'))
    .filter((line) => line.includes('"_aws"'))
    .map((line) => JSON.parse(line) as EmbeddedMetric);
}

test('a reading that a device publishes is pushed to the task and becomes a segment; nothing is polled', async () => {
  const state = newStateDirectory();
  const assembly = path.join(state, 'cdk.out');
  synthesizeWithFanOut(assembly);
  const run = await LocalRun.start({ assembly, stateDirectory: state, port: 0, mqttPort: 0 });
  try {
    const fleet = localFleet(state, run.endpoint, run.outputs[DEVICE_POLICY_OUTPUT] ?? '');
    const [identity] = await provisionFleet({ ...fleet, useCase: USE_CASE, names: ['one'] });
    const device = await Device.connect(identity!, await mqttEndpoint(fleet.iot, localAuthority(state)));
    const reading = { messageId: 'm-1', timestamp: Date.now(), temperature: 21 };
    await device.publish(Buffer.from(JSON.stringify(reading)), () => {});
    await device.drain();
    await device.close();
    const bucket = path.join(state, 's3', run.outputs['LakeBucketName'] ?? '');
    const segments = (): string[] =>
      (readdirSync(bucket, { recursive: true }) as string[]).filter(
        (leaf) => leaf.startsWith(`${READINGS_PREFIX}${USE_CASE}/`) && leaf.endsWith('.parquet'),
      );
    await until('a segment', () => (segments().length > 0 ? true : undefined), 100_000);
    expect(segments()).toHaveLength(1);
    await run.stop();
    const requests = readFileSync(path.join(state, 'logs', 'requests.ndjson'), 'utf8')
      .trim()
      .split('\n');
    const operations = new Set(requests.map((line) => (JSON.parse(line) as { operation: string }).operation));
    expect([...operations]).toEqual(expect.arrayContaining(['DescribeStreamConsumer', 'SubscribeToShard']));
    expect([...operations].filter((operation) => /GetRecords|GetShardIterator/.test(operation))).toEqual([]);
    const metrics = embeddedMetrics(path.join(state, 'logs')).filter(
      ({ _aws }) => _aws.CloudWatchMetrics[0]?.Namespace === run.outputs['LeaseTableName'],
    );
    const of = (operation: string): object | undefined => metrics.find(({ Operation }) => Operation === operation);
    expect(of('ProcessTask')).toMatchObject({
      ShardId: expect.stringMatching(/^shardId-/),
      MillisBehindLatest: expect.anything(),
    });
    expect(of('ApplicationTracker')).toMatchObject({ MillisBehindLatest: expect.anything() });
    // Measured in the renewer thread.
    expect(of('RenewAllLeases')).toMatchObject({ CurrentLeases: expect.anything(), LostLeases: expect.anything() });
    expect(of('LeaseAssignmentManager')).toMatchObject({ NumWorkers: expect.anything() });
  } finally {
    await run.stop();
    rmSync(state, { recursive: true, force: true });
  }
});
