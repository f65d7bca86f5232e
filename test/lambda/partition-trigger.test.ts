import { createHash } from 'node:crypto';
import { manifestKey, partitionOf } from '../../lib/contracts/lake-layout';
import type { TrainingTarget, TriggerPolicy } from '../../lib/contracts/training';
import { FeatureCatalog } from '../../lambda/partition-trigger/catalog';
import { TrainingExecutions } from '../../lambda/partition-trigger/executions';
import { createHandler } from '../../lambda/partition-trigger/handler';
import { TrainingRegistry } from '../../lambda/partition-trigger/registry';
import type { SqsBatchResponse } from '../../lambda/sqs';
import { FakeGlue, FakeRegistry, FakeS3, FakeSageMaker, sealedEvent } from './support/fakes';

const USE_CASE = 'sensor-monitoring';
const PIPELINE = 'telemetry-test-sensor-monitoring';
const TABLE = 'features_sensor_monitoring';
const FIRST = Date.parse('2026-05-01T00:00:00Z');

function hour(index: number): string {
  return new Date(FIRST + index * 3_600_000).toISOString().slice(0, 13);
}

function sealed(index: number, generation = 1): string {
  return sealedEvent(manifestKey(partitionOf(USE_CASE, FIRST + index * 3_600_000), generation));
}

const ended = JSON.stringify({
  source: 'aws.sagemaker',
  'detail-type': 'SageMaker Model Building Pipeline Execution Status Change',
  detail: { pipelineArn: `arn:aws:sagemaker:us-east-1:000000000000:pipeline/${PIPELINE}` },
});

let clock = Date.parse('2026-06-01T00:00:00Z');
let registry: FakeRegistry;
let glue: FakeGlue;
let sageMaker: FakeSageMaker;
let s3: FakeS3;
let onSleep: (milliseconds: number) => void;

beforeEach(() => {
  registry = new FakeRegistry();
  glue = new FakeGlue();
  sageMaker = new FakeSageMaker();
  s3 = new FakeS3();
  onSleep = () => {};
  jest.spyOn(console, 'log').mockImplementation(() => {});
});
afterEach(() => jest.restoreAllMocks());

function trigger(policy: Partial<TriggerPolicy> = {}, definitionHash = 'definition-1') {
  const target: TrainingTarget = {
    pipelineName: PIPELINE,
    glueTable: TABLE,
    policy: { newPartitions: 1, minimumRows: 1, cooldown: 0, datasetHours: 24, ...policy },
    definitionHash,
  };
  const training = new TrainingRegistry(registry.client, 'registry');
  const handle = createHandler({
    registry: training,
    catalog: new FeatureCatalog({
      glue: glue.client,
      database: 'telemetry',
      lakeBucket: 'lake',
      newestGeneration: (partition) => training.sealedPartition(partition),
    }),
    executions: new TrainingExecutions({
      s3: s3.client,
      sageMaker: sageMaker.client,
      lakeBucket: 'lake',
      artifactBucket: 'artifacts',
    }),
    targets: { [USE_CASE]: target },
    now: () => clock,
    sleep: async (milliseconds) => onSleep(milliseconds),
  });
  return (...bodies: string[]): Promise<SqsBatchResponse> =>
    handle({ Records: bodies.map((body, index) => ({ messageId: `m${index}`, body })) });
}

const NONE = { batchItemFailures: [] };
const failures = (...ids: string[]) => ({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });

describe('a sealed partition', () => {
  test('starts an execution on its dataset, which the manifest and the parameters name', async () => {
    registry.seal(USE_CASE, hour(0));
    registry.seal(USE_CASE, hour(1), { content: 'other' });
    expect(await trigger()(sealed(1))).toEqual(NONE);

    const hash = createHash('sha256')
      .update(`${USE_CASE}\n${hour(0)} content of ${hour(0)}\n${hour(1)} other\n`)
      .digest('hex');
    expect(sageMaker.executions.map(({ parameters, token }) => ({ parameters, token }))).toEqual([
      {
        token: createHash('sha256').update(`${USE_CASE}|${hash}|definition-1`).digest('hex'),
        parameters: {
          DatasetHash: hash,
          InputManifestUri: `s3://artifacts/datasets/${USE_CASE}/${hash}/partitions.manifest`,
          DatasetUri: `s3://artifacts/training/${USE_CASE}/${hash}`,
        },
      },
    ]);
    expect(JSON.parse(s3.objects.get(`s3://artifacts/datasets/${USE_CASE}/${hash}/partitions.manifest`)!)).toEqual([
      { prefix: 's3://lake/' },
      `features/${USE_CASE}/dt=2026-05-01/hour=00/gen=1/part-00000.parquet`,
      `features/${USE_CASE}/dt=2026-05-01/hour=01/gen=1/part-00000.parquet`,
    ]);
  });

  test('becomes a Glue partition with the columns of the table', async () => {
    registry.seal(USE_CASE, hour(3));
    await trigger()(sealed(3));
    expect(glue.partitions.get(`${TABLE}/2026-05-01/03`)).toEqual({
      Values: ['2026-05-01', '03'],
      Parameters: { generation: '1' },
      StorageDescriptor: {
        Columns: [{ Name: 'device', Type: 'string' }],
        Location: `s3://lake/features/${USE_CASE}/dt=2026-05-01/hour=03/gen=1/`,
      },
    });
  });

  test('that the registry does not know yet is waited for', async () => {
    const waits: number[] = [];
    onSleep = (milliseconds) => {
      waits.push(milliseconds);
      if (waits.length === 3) registry.seal(USE_CASE, hour(0));
    };
    expect(await trigger()(sealed(0))).toEqual(NONE);
    expect(waits).toEqual([100, 200, 400]);
    expect(sageMaker.executions).toHaveLength(1);
  });

  test('that the registry never learns of stays in the queue, and its neighbours do not', async () => {
    registry.seal(USE_CASE, hour(0));
    expect(await trigger()(sealed(1), sealed(0))).toEqual(failures('m0'));
    expect(sageMaker.executions).toHaveLength(1);
  });

  test('of a generation that the registry lags behind is waited for too', async () => {
    registry.seal(USE_CASE, hour(0), { generation: 1 });
    expect(await trigger()(sealed(0, 2))).toEqual(failures('m0'));
  });
});

describe('one execution per dataset', () => {
  test('a storm of duplicate events, in parallel and in batches, starts one', async () => {
    for (let index = 0; index < 24; index++) registry.seal(USE_CASE, hour(index));
    const handle = trigger({ newPartitions: 24 });
    const events = Array.from({ length: 24 }, (_, index) => sealed(index));
    const batches = Array.from({ length: 12 }, () => handle(...events, ...events));
    for (const answer of await Promise.all(batches)) expect(answer).toEqual(NONE);
    expect(sageMaker.executions).toHaveLength(1);

    sageMaker.executions[0]!.status = 'Succeeded';
    await Promise.all(Array.from({ length: 12 }, () => handle(...events, ended)));
    expect(sageMaker.executions).toHaveLength(1);
  });

  test('partitions that seal one by one while events are handled in parallel end in one start of all 24', async () => {
    const handle = trigger({ newPartitions: 24 });
    const work: Promise<unknown>[] = [];
    for (let index = 0; index < 24; index++) {
      registry.seal(USE_CASE, hour(index));
      work.push(handle(sealed(index)));
      if (index % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(work);
    expect(sageMaker.executions).toHaveLength(1);
    const [manifest] = [...s3.objects.values()];
    expect(JSON.parse(manifest!)).toHaveLength(1 + 24);
  });

  test('only one execution runs at a time; its end starts the next, with what was sealed meanwhile', async () => {
    const handle = trigger();
    registry.seal(USE_CASE, hour(0));
    await handle(sealed(0));
    registry.seal(USE_CASE, hour(1));
    await handle(sealed(1));
    expect(sageMaker.executions).toHaveLength(1);

    sageMaker.executions[0]!.status = 'Failed';
    await handle(ended);
    expect(sageMaker.executions).toHaveLength(2);
    sageMaker.executions[1]!.status = 'Succeeded';
    await handle(ended);
    expect(sageMaker.executions).toHaveLength(2);
  });

  test('of two that decide on different datasets at once, one starts', async () => {
    registry.seal(USE_CASE, hour(0));
    const put = s3.client.send;
    let overtaken = false;
    s3.client.send = async (command: object) => {
      if (!overtaken) {
        overtaken = true;
        registry.seal(USE_CASE, hour(1));
        await trigger()(sealed(1));
      }
      return put(command);
    };
    expect(await trigger()(sealed(0))).toEqual(NONE);
    expect(s3.objects.size).toBe(2);
    expect(sageMaker.executions).toHaveLength(1);
    expect(registry.items.get(`USE_CASE#${USE_CASE}|TRAINING`)!.datasetHours.L).toHaveLength(2);
  });

  test('a start that failed after its claim is confirmed by the next event, with the same token', async () => {
    registry.seal(USE_CASE, hour(0));
    sageMaker.failing = true;
    const handle = trigger();
    expect(await handle(sealed(0))).toEqual(failures('m0'));
    expect(sageMaker.executions).toHaveLength(0);

    sageMaker.failing = false;
    registry.seal(USE_CASE, hour(1));
    expect(await handle(sealed(0), sealed(1))).toEqual(NONE);
    expect(sageMaker.executions).toHaveLength(1);
    expect(sageMaker.executions[0]!.parameters.DatasetHash).toBe(
      registry.items.get(`USE_CASE#${USE_CASE}|TRAINING`)!.datasetHash.S,
    );
  });

  test('a new generation with equal features is the same dataset', async () => {
    registry.seal(USE_CASE, hour(0));
    const handle = trigger();
    await handle(sealed(0));
    sageMaker.executions[0]!.status = 'Succeeded';
    registry.seal(USE_CASE, hour(0), { generation: 2 });
    await handle(sealed(0, 2));
    expect(sageMaker.executions).toHaveLength(1);
  });
});

describe('the policy', () => {
  const seal = (count: number, rows?: number): void => {
    for (let index = 0; index < count; index++) registry.seal(USE_CASE, hour(index), { rows });
  };

  test('waits for new partitions', async () => {
    const handle = trigger({ newPartitions: 3 });
    seal(2);
    await handle(sealed(0), sealed(1));
    expect(sageMaker.executions).toHaveLength(0);
    seal(3);
    await handle(sealed(2));
    expect(sageMaker.executions).toHaveLength(1);
  });

  test('waits for rows', async () => {
    const handle = trigger({ minimumRows: 30 });
    seal(2, 14);
    await handle(sealed(1));
    expect(sageMaker.executions).toHaveLength(0);
    seal(3, 14);
    await handle(sealed(2));
    expect(sageMaker.executions).toHaveLength(1);
  });

  test('waits for the cooldown', async () => {
    const handle = trigger({ cooldown: 60_000 });
    seal(1);
    await handle(sealed(0));
    sageMaker.executions[0]!.status = 'Succeeded';
    seal(2);
    clock += 59_000;
    await handle(sealed(1));
    expect(sageMaker.executions).toHaveLength(1);
    clock += 1_000;
    await handle(sealed(1));
    expect(sageMaker.executions).toHaveLength(2);
  });

  test('takes the hours back from the newest ever sealed, whatever hour woke it', async () => {
    registry.unprocessed = 50;
    const handle = trigger({ datasetHours: 250, newPartitions: 2 });
    registry.seal(USE_CASE, hour(0));
    registry.seal(USE_CASE, hour(50));
    registry.seal(USE_CASE, hour(299));
    await handle(sealed(299), sealed(0));
    const [manifest] = [...s3.objects.values()];
    expect(JSON.parse(manifest!).slice(1)).toEqual([
      expect.stringContaining('dt=2026-05-03/hour=02'),
      expect.stringContaining('dt=2026-05-13/hour=11'),
    ]);
    expect(registry.items.get(`USE_CASE#${USE_CASE}|TRAINING`)!.newestHour.S).toBe(hour(299));
  });
});

describe('the Glue partition', () => {
  test('never goes back: an old event applies the newest generation', async () => {
    registry.seal(USE_CASE, hour(0), { generation: 3 });
    const handle = trigger();
    await handle(sealed(0, 3));
    await handle(sealed(0, 1));
    expect(glue.location(TABLE, '2026-05-01', '00')).toMatch(/gen=3\/$/);
  });

  test('ends at the newest where a slow writer overwrites a faster one', async () => {
    registry.seal(USE_CASE, hour(0), { generation: 1 });
    const slow = trigger();
    const create = glue.client.send;
    let overtaken = false;
    glue.client.send = async (command: { constructor: { name: string } }) => {
      if (command.constructor.name === 'CreatePartitionCommand' && !overtaken) {
        overtaken = true;
        registry.seal(USE_CASE, hour(0), { generation: 2 });
        await trigger()(sealed(0, 2));
        expect(glue.location(TABLE, '2026-05-01', '00')).toMatch(/gen=2\/$/);
      }
      return create(command);
    };
    await slow(sealed(0, 1));
    expect(overtaken).toBe(true);
    expect(glue.location(TABLE, '2026-05-01', '00')).toMatch(/gen=2\/$/);
  });

  test('that Glue refuses stays in the queue and does not hold up training', async () => {
    registry.seal(USE_CASE, hour(0));
    glue.failing = true;
    expect(await trigger()(sealed(0))).toEqual(failures('m0'));
    expect(sageMaker.executions).toHaveLength(1);

    glue.failing = false;
    expect(await trigger()(sealed(0))).toEqual(NONE);
    expect(glue.location(TABLE, '2026-05-01', '00')).toMatch(/gen=1\/$/);
    expect(sageMaker.executions).toHaveLength(1);
  });
});

test.each([
  ['no JSON', '{'],
  ['another source', JSON.stringify({ source: 'aws.ec2' })],
  ['another key', JSON.stringify({ source: 'aws.s3', detail: { object: { key: 'features/a.parquet' } } })],
  ['an unknown use case', sealedEvent(`features/toString/dt=2026-05-01/hour=00/gen=1/_manifest.json`)],
  ['another pipeline', JSON.stringify({ source: 'aws.sagemaker', detail: { pipelineArn: 'arn:x:pipeline/other' } })],
])('an event that is none of ours (%s) fails alone', async (_, body) => {
  registry.seal(USE_CASE, hour(0));
  expect(await trigger()(body, sealed(0))).toEqual(failures('m0'));
  expect(sageMaker.executions).toHaveLength(1);
});
