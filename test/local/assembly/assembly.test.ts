import { App, CfnOutput, CfnResource, Stack, Stage, Token } from 'aws-cdk-lib';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inDependencyOrder, readAssembly } from '../../../local/assembly/assembly';
import { provision } from '../../../local/assembly/provision';
import type { ServiceCalls } from '../../../local/assembly/service-calls';
import { AwsError } from '../../../local/gateway/service';

/** Services that remember what they were asked. */
class RecordingCalls implements ServiceCalls {
  readonly asked: string[] = [];
  readonly inputs: Record<string, unknown>[] = [];
  answers: Record<string, Record<string, unknown>> = {
    'kinesis DescribeStreamSummary': { StreamDescriptionSummary: { RetentionPeriodHours: 24 } },
  };
  failures: Record<string, AwsError> = {};
  async json(service: string, operation: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
    const call = `${service} ${operation}`;
    this.asked.push(call);
    this.inputs.push(input);
    if (this.failures[call] !== undefined) throw this.failures[call];
    return this.answers[call] ?? {};
  }
  async rest(): Promise<string> {
    return '';
  }
  registerRole(): void {}
  async putFunction(): Promise<void> {}
  putQueueMapping(): void {}
  fileAsset(): undefined {}
}

describe('an assembly', () => {
  let outdir: string;
  beforeEach(() => {
    outdir = mkdtempSync(join(tmpdir(), 'assembly-'));
  });
  afterEach(() => rmSync(outdir, { recursive: true }));

  function synthesize(build: (stage: Stage) => void): ReturnType<typeof readAssembly> {
    const app = new App({ outdir, analyticsReporting: false, builtinCloudFormationValidation: false });
    build(new Stage(app, 'Telemetry-local'));
    app.synth();
    return readAssembly(outdir);
  }

  test('gives the stacks of its stages in the order of their dependencies', async () => {
    const assembly = synthesize((stage) => {
      const consumer = new Stack(stage, 'Consumer');
      const lake = new Stack(stage, 'Lake');
      const stream = new CfnResource(lake, 'Stream', { type: 'AWS::Kinesis::Stream', properties: { ShardCount: 2 } });
      new CfnResource(consumer, 'Definition', {
        type: 'AWS::CloudWatch::Dashboard',
        properties: { DashboardName: stream.ref, Body: stream.getAtt('Arn') },
      });
      new CfnOutput(consumer, 'StreamName', { value: stream.ref });
    });
    expect(assembly.stacks.map(({ name }) => name)).toEqual(['Telemetry-local-Lake', 'Telemetry-local-Consumer']);

    const { resources, outputs } = await provision(assembly, new RecordingCalls());
    const stream = resources.find(({ type }) => type === 'AWS::Kinesis::Stream')!;
    expect(stream.physicalId).toMatch(/^Telemetry-local-Lake-Stream-[0-9A-F]{12}$/);
    expect(outputs).toEqual({ StreamName: stream.physicalId });
    expect(resources.find(({ logicalId }) => logicalId === 'Definition')!.physicalId).toBe(stream.physicalId);
  });

  test('a resource type that is not known stops it, before anything is provisioned', async () => {
    const calls = new RecordingCalls();
    const assembly = synthesize((stage) => {
      const stack = new Stack(stage, 'Lake');
      new CfnResource(stack, 'Stream', { type: 'AWS::Kinesis::Stream', properties: { ShardCount: 1 } });
      new CfnResource(stack, 'Files', { type: 'AWS::EFS::FileSystem' });
    });
    await expect(provision(assembly, calls)).rejects.toThrow(
      'stack Telemetry-local-Lake: Files is of type AWS::EFS::FileSystem',
    );
    expect(calls.asked).toEqual([]);
  });

  test('a resource that cannot be provisioned is named with its stack and type', async () => {
    const calls = new RecordingCalls();
    calls.failures['kinesis CreateStream'] = new AwsError('LimitExceededException', 'too many shards');
    const assembly = synthesize((stage) => {
      new CfnResource(new Stack(stage, 'Lake'), 'Stream', {
        type: 'AWS::Kinesis::Stream',
        properties: { ShardCount: 1 },
      });
    });
    await expect(provision(assembly, calls)).rejects.toThrow(
      'stack Telemetry-local-Lake: Stream (AWS::Kinesis::Stream): too many shards',
    );
  });

  test('a resource whose condition is false is left out', async () => {
    const { resources } = await provision(
      {
        stacks: [
          {
            name: 'S',
            template: {
              Conditions: { China: { 'Fn::Equals': [{ Ref: 'AWS::Partition' }, 'aws-cn'] } },
              Resources: {
                Here: { Type: 'AWS::KMS::Key' },
                There: { Type: 'AWS::KMS::Key', Condition: 'China' },
              },
            },
          },
        ],
        fileAsset: () => undefined,
        imageAsset: () => undefined,
      },
      new RecordingCalls(),
    );
    expect(resources.map(({ logicalId }) => logicalId)).toEqual(['Here']);
  });

  test('a stream that exists is resharded only where the template changed since', async () => {
    const build = (ShardCount: number) =>
      synthesize((stage) => {
        new CfnResource(new Stack(stage, 'Lake'), 'Stream', {
          type: 'AWS::Kinesis::Stream',
          properties: { ShardCount },
        });
      });
    const first = await provision(build(2), new RecordingCalls());
    const again = new RecordingCalls();
    again.failures['kinesis CreateStream'] = new AwsError('ResourceInUseException', 'exists');
    await provision(build(2), again, first.properties);
    expect(again.asked).not.toContain('kinesis UpdateShardCount');
    await provision(build(4), again, first.properties);
    expect(again.asked).toContain('kinesis UpdateShardCount');
    expect(again.inputs[again.asked.indexOf('kinesis UpdateShardCount')]).toMatchObject({ TargetShardCount: 4 });
  });

  test('an unresolved token of the app is found at its path', async () => {
    const assembly = synthesize((stage) => {
      new CfnResource(new Stack(stage, 'Lake'), 'Stream', {
        type: 'AWS::Kinesis::Stream',
        properties: { Name: Token.asAny({ 'Fn::ImportValue': 'nobody' }) },
      });
    });
    await expect(provision(assembly, new RecordingCalls())).rejects.toThrow(
      'stack Telemetry-local-Lake: Stream.Properties.Name: Fn::ImportValue',
    );
  });

  test('a directory without an assembly says what to do', () => {
    expect(() => readAssembly(outdir)).toThrow(/no manifest\.json; run `npx cdk synth`/);
  });
});

describe('inDependencyOrder', () => {
  const order = (edges: Record<string, string[]>) =>
    inDependencyOrder(Object.keys(edges), (name) => edges[name]!, 'things');
  test('puts each name after those it depends on and ignores unknown ones', () => {
    expect(order({ a: ['c', 'x'], b: [], c: ['b'] })).toEqual(['b', 'c', 'a']);
  });
  test('names a circle', () => {
    expect(() => order({ a: ['b'], b: ['c'], c: ['b'] })).toThrow('things depend on each other: b → c → b');
  });
});
