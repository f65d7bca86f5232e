import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import {
  LocalSageMaker,
  ROLE,
  channel,
  csvRows,
  fail,
  get,
  input,
  join_,
  processing,
  training,
} from './support/local-sagemaker';
import { readModel } from './support/model-reader';

let local: LocalSageMaker;
beforeEach(() => {
  local = new LocalSageMaker();
});
afterEach(() => local.close());

const jsonGet = (step: string, file: string, path: string): unknown => ({
  'Std:JsonGet': { PropertyFile: get(`Steps.${step}.PropertyFiles.${file}`), Path: path },
});

/** A step that writes a report, and a gate on it. */
function gated(report: string): unknown[] {
  return [
    processing('Score', ['write', '/opt/ml/processing/report/evaluation.json', report], {
      outputs: { report: join_('/', 's3://bucket/reports', get('Execution.PipelineExecutionId')) },
      step: { PropertyFiles: [{ PropertyFileName: 'Report', OutputName: 'report', FilePath: 'evaluation.json' }] },
    }),
    {
      Name: 'Gate',
      Type: 'Condition',
      Arguments: {
        Conditions: [
          {
            Type: 'LessThanOrEqualTo',
            LeftValue: jsonGet('Score', 'Report', 'metrics.rmse'),
            RightValue: get('Parameters.Limit'),
          },
        ],
        IfSteps: [
          processing('Publish', ['write', '/opt/ml/processing/o/done', 'yes'], {
            outputs: { o: 's3://bucket/published' },
          }),
        ],
        ElseSteps: [
          fail(
            'Refused',
            join_(' ', 'rmse', jsonGet('Score', 'Report', "metrics['rmse']"), 'is above', get('Parameters.Limit')),
          ),
        ],
      },
    },
  ];
}
const LIMIT = [{ Name: 'Limit', Type: 'Float', DefaultValue: 0.9 }];

describe('conditions and failures', () => {
  test('the branch that holds runs, the other does not appear', async () => {
    await local.createPipeline(gated('{"metrics":{"rmse":0.5}}'), LIMIT);
    const { execution, steps } = await local.run();
    expect(execution).toMatchObject({ PipelineExecutionStatus: 'Succeeded' });
    expect(steps.map(({ StepName, StepStatus }) => [StepName, StepStatus])).toEqual([
      ['Score', 'Succeeded'],
      ['Gate', 'Succeeded'],
      ['Publish', 'Succeeded'],
    ]);
    expect(steps[1]!.Metadata).toEqual({ Condition: { Outcome: 'True' } });
    expect(local.store.text('bucket/published/done')).toBe('yes');
  });

  test('a Fail step ends the execution with its reason', async () => {
    await local.createPipeline(gated('{"metrics":{"rmse":0.5}}'), LIMIT);
    const { execution, steps } = await local.run({ Limit: '0.25' });
    expect(execution.PipelineExecutionStatus).toBe('Failed');
    expect(execution.FailureReason).toContain('Refused: rmse 0.5 is above 0.25');
    expect(steps.at(-1)).toMatchObject({
      StepName: 'Refused',
      StepStatus: 'Failed',
      FailureReason: 'rmse 0.5 is above 0.25',
      Metadata: { Fail: { ErrorMessage: 'rmse 0.5 is above 0.25' } },
    });
  });

  test.each([
    ['{"metrics":{}}', /Std:JsonGet: property file Report of step Score has nothing at metrics.rmse/],
    ['no json', /is not JSON/],
    ['{"metrics":{"rmse":"low"}}', /compares string with number/],
  ])('a report of %s fails the gate', async (report, reason) => {
    await local.createPipeline(gated(report), LIMIT);
    const { steps } = await local.run();
    expect(steps.at(-1)).toMatchObject({ StepName: 'Gate', StepStatus: 'Failed' });
    expect(steps.at(-1)!.FailureReason).toMatch(reason);
  });

  test('events tell each change of the execution and of its steps', async () => {
    await local.createPipeline([fail('Stop', 'enough')]);
    const { arn } = await local.run();
    const ofExecution = local.events.filter(
      (event) => event['detail-type'] === 'SageMaker Model Building Pipeline Execution Status Change',
    );
    expect(
      ofExecution.map(({ detail }) => [detail.previousPipelineExecutionStatus, detail.currentPipelineExecutionStatus]),
    ).toEqual([
      [undefined, 'Executing'],
      ['Executing', 'Failed'],
    ]);
    expect(ofExecution[1]).toMatchObject({
      source: 'aws.sagemaker',
      resources: ['arn:aws:sagemaker:us-east-1:000000000000:pipeline/trial', arn],
      detail: { pipelineExecutionArn: arn, executionEndTime: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    const ofSteps = local.events.filter(
      (event) => event['detail-type'] === 'SageMaker Model Building Pipeline Execution Step Status Change',
    );
    expect(ofSteps.map(({ detail }) => detail.currentStepStatus)).toEqual(['Starting', 'Executing', 'Failed']);
    expect(ofSteps.at(-1)!.detail).toMatchObject({ stepName: 'Stop', stepType: 'Fail', failureReason: 'enough' });
  });
});

describe('processing jobs', () => {
  test('prefixes and manifests are laid out as the service does; /opt/ml is the job’s directory', async () => {
    for (const key of ['data/a.txt', 'data/deep/b.txt', 'database.txt'])
      await local.store.put('bucket', key, Buffer.from(key));
    await local.store.put('bucket', 'list.manifest', Buffer.from('[{"prefix":"s3://bucket/data/"},"deep/b.txt"]'));
    const inputs = [
      input('folder', 's3://bucket/data/'),
      input('loose', 's3://bucket/data'),
      input('one', 's3://bucket/data/a.txt'),
      input('listed', 's3://bucket/list.manifest', 'ManifestFile'),
    ];
    const list = (name: string): string[] => [
      'list',
      `/opt/ml/processing/in/${name}`,
      `/opt/ml/processing/out/${name}`,
      ';',
    ];
    const args = ['folder', 'loose', 'one', 'listed'].flatMap(list);
    await local.createPipeline([processing('List', args, { inputs, outputs: { out: 's3://bucket/seen/' } })]);
    const { execution, steps } = await local.run();
    expect(execution.PipelineExecutionStatus).toBe('Succeeded');
    expect(local.store.text('bucket/seen/folder').split('\n')).toEqual(['a.txt', 'deep/b.txt']);
    expect(local.store.text('bucket/seen/loose').split('\n')).toEqual(['a.txt', 'database.txt', 'deep/b.txt']);
    expect(local.store.text('bucket/seen/one')).toBe('a.txt');
    expect(local.store.text('bucket/seen/listed')).toBe('data/deep/b.txt');
    const name = String(steps[0]!.Metadata!.ProcessingJob!.Arn).split('/').at(-1);
    expect(name).toMatch(/^pipelines-[a-z0-9]{12}-list-[a-z0-9]{10}$/);
  });

  test('the process gets its own environment and nothing of ours', async () => {
    process.env.OUR_SECRET = 'x';
    await local.createPipeline([
      processing('Env', ['env', 'all', '/opt/ml/processing/o/env'], {
        outputs: { o: 's3://bucket/o' },
        environment: { MODEL: '/opt/ml/processing/model', OTHER: '/my/opt/ml' },
      }),
    ]);
    await local.run();
    delete process.env.OUR_SECRET;
    const environment = JSON.parse(local.store.text('bucket/o/env')) as Record<string, string>;
    expect(
      Object.keys(environment)
        .filter((name) => !name.startsWith('__'))
        .sort(),
    ).toEqual(['AWS_REGION', 'HOME', 'MODEL', 'OTHER', 'PATH', 'ROLE_OF_JOB']);
    expect(environment).toMatchObject({ ROLE_OF_JOB: ROLE, OTHER: '/my/opt/ml' });
    expect(environment.MODEL).toMatch(/jobs\/pipelines-.*\/processing\/model$/);
  });

  test('an isolated process gets neither endpoint nor credentials', async () => {
    const step = processing('Env', ['env', 'all', '/opt/ml/processing/o/env'], { outputs: { o: 's3://bucket/o' } });
    const Arguments = { ...(step.Arguments as object), NetworkConfig: { EnableNetworkIsolation: true } };
    await local.createPipeline([{ ...step, Arguments }]);
    await local.run();
    expect(JSON.parse(local.store.text('bucket/o/env'))).not.toHaveProperty('ROLE_OF_JOB');
  });

  test('a failing process gives its exit message, which the job’s description holds', async () => {
    await local.createPipeline([processing('Break', ['fail', 'no rows in hour 7', '/opt/ml/output/message'])]);
    const { steps } = await local.run();
    expect(steps[0]!.FailureReason).toMatch(/^AlgorithmError: exit code 3: no rows in hour 7/);
    const { ProcessingJobSummaries } = await local.call<{ ProcessingJobSummaries: { ProcessingJobName: string }[] }>(
      'ListProcessingJobs',
      {},
    );
    const job = await local.call('DescribeProcessingJob', {
      ProcessingJobName: ProcessingJobSummaries[0]!.ProcessingJobName,
    });
    expect(job).toMatchObject({ ProcessingJobStatus: 'Failed', ExitMessage: 'no rows in hour 7' });
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'an input below another folder',
      {
        inputs: [
          {
            InputName: 'a',
            S3Input: { S3Uri: 's3://bucket/a', LocalPath: '/tmp/a', S3DataType: 'S3Prefix', S3InputMode: 'File' },
          },
        ],
      },
      /LocalPath must be below \/opt\/ml\/processing\//,
    ],
    [
      'eleven inputs',
      { inputs: Array.from({ length: 11 }, (_, index) => input(`i${index}`, 's3://bucket/a')) },
      /11 members; at most 10/,
    ],
    ['an input without data', { inputs: [input('a', 's3://bucket/none/')] }, /No S3 objects found/],
    [
      'no S3InputMode',
      {
        inputs: [
          {
            InputName: 'a',
            S3Input: { S3Uri: 's3://bucket/a', LocalPath: '/opt/ml/processing/a', S3DataType: 'S3Prefix' },
          },
        ],
      },
      /S3InputMode is required/,
    ],
    ['an environment value that is no text', { environment: { N: 5 } }, /Environment\.N must be a string/],
  ])('%s fails the step', async (_name, more, reason) => {
    await local.createPipeline([processing('Bad', ['say', 'x'], more)]);
    const { steps } = await local.run();
    expect(steps[0]!.FailureReason).toMatch(reason);
  });
});

describe('training jobs', () => {
  beforeEach(() => local.store.put('bucket', 'train/rows.csv', Buffer.from(csvRows(200))));

  async function files(archive: Uint8Array): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>();
    const reader = extract();
    reader.end(gunzipSync(archive));
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      found.set(entry.header.name, Buffer.concat(chunks));
    }
    return found;
  }

  test('a model stands where the service would put it, with its metrics and which trainer ran', async () => {
    await local.createPipeline([
      training('Train', 's3://bucket/train'),
      {
        Name: 'Good',
        Type: 'Condition',
        Arguments: {
          Conditions: [
            {
              Type: 'LessThan',
              LeftValue: get("Steps.Train.FinalMetricDataList['validation:rmse'].Value"),
              RightValue: 1000,
            },
          ],
          IfSteps: [
            {
              Name: 'Register',
              Type: 'RegisterModel',
              Arguments: {
                ModelPackageGroupName: 'Trial',
                InferenceSpecification: {
                  Containers: [{ Image: 'x', ModelDataUrl: get('Steps.Train.ModelArtifacts.S3ModelArtifacts') }],
                  SupportedContentTypes: ['text/csv'],
                  SupportedResponseMIMETypes: ['text/csv'],
                },
                CustomerMetadataProperties: { execution: get('Execution.PipelineExecutionId') },
              },
            },
          ],
        },
      },
    ]);
    await local.call('CreateModelPackageGroup', { ModelPackageGroupName: 'Trial' });
    const { execution, steps } = await local.run();
    expect(execution.FailureReason).toBeUndefined();
    const arn = String(steps[0]!.Metadata!.TrainingJob!.Arn);
    const TrainingJobName = (
      await local.call<{ TrainingJobSummaries: { TrainingJobName: string }[] }>('ListTrainingJobs', {})
    ).TrainingJobSummaries[0]!.TrainingJobName;
    const job = await local.call('DescribeTrainingJob', { TrainingJobName });
    expect(job).toMatchObject({
      TrainingJobArn: arn,
      TrainingJobStatus: 'Completed',
      SecondaryStatus: 'Completed',
      ModelArtifacts: { S3ModelArtifacts: `s3://bucket/models/${TrainingJobName}/output/model.tar.gz` },
      FinalMetricDataList: [{ MetricName: 'train:rmse' }, { MetricName: 'validation:rmse', Value: expect.any(Number) }],
    });
    const transitions = job.SecondaryStatusTransitions as { Status: string; StatusMessage: string }[];
    expect(transitions.map(({ Status }) => Status)).toEqual(['Downloading', 'Training', 'Uploading', 'Completed']);
    expect(transitions[1]!.StatusMessage).toContain('trainer: built-in');
    expect(local.lines.filter((line) => /^\[\d\]#011train-rmse:.*#011validation-rmse:/.test(line))).toHaveLength(5);

    const archive = await files(local.store.objects.get(`bucket/models/${TrainingJobName}/output/model.tar.gz`)!);
    expect([...archive.keys()]).toEqual(['xgboost-model']);
    expect(readModel(archive.get('xgboost-model')!).learner.gradient_booster.model.trees).toHaveLength(5);

    const registered = await local.call('DescribeModelPackage', {
      ModelPackageName: steps[2]!.Metadata!.RegisterModel!.Arn,
    });
    expect(registered).toMatchObject({
      ModelPackageVersion: 1,
      ModelApprovalStatus: 'PendingManualApproval',
      CustomerMetadataProperties: { execution: expect.any(String) },
    });
  });

  test('what the container refuses is the failure of the step', async () => {
    await local.store.put('bucket', 'train/.hidden', Buffer.from('x'));
    await local.createPipeline([training('Train', 's3://bucket/train')]);
    const { steps } = await local.run();
    expect(steps[0]!.FailureReason).toMatch(/^ClientError: hidden file .hidden found.*exit code: 2$/);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'another image',
      {
        AlgorithmSpecification: {
          TrainingImage: '1.dkr.ecr.us-east-1.amazonaws.com/kmeans:1',
          TrainingInputMode: 'File',
        },
      },
      /only repository sagemaker-xgboost/,
    ],
    [
      'a hyperparameter that is a number',
      { HyperParameters: { num_round: 5 } },
      /HyperParameters\.num_round must be a string/,
    ],
    [
      'metric definitions',
      {
        AlgorithmSpecification: {
          TrainingImage: 'a/sagemaker-xgboost:3.0-5',
          TrainingInputMode: 'File',
          MetricDefinitions: [{ Name: 'x', Regex: 'y' }],
        },
      },
      /MetricDefinitions cannot be given/,
    ],
    ['spot without a wait', { EnableManagedSpotTraining: true }, /MaxWaitTimeInSeconds is required/],
    [
      'a channel twice',
      { InputDataConfig: [channel('train', 's3://bucket/train'), channel('train', 's3://bucket/train')] },
      /names train twice/,
    ],
  ])('%s fails the step', async (_name, more, reason) => {
    await local.createPipeline([training('Train', 's3://bucket/train', more)]);
    const { steps } = await local.run();
    expect(steps[0]!.FailureReason).toMatch(reason);
  });
});

describe('caching', () => {
  const steps = (more: Record<string, unknown> = {}): unknown[] => [
    processing('Make', ['write', '/opt/ml/processing/o/file', get('Parameters.Text')], {
      outputs: { o: join_('/', 's3://bucket', get('Execution.PipelineExecutionId')) },
      step: { CacheConfig: { Enabled: true, ExpireAfter: 'P30D' }, ...more },
    }),
  ];
  const parameters = [{ Name: 'Text', Type: 'String' }];

  test('an equal step takes over the earlier result, another does not', async () => {
    await local.createPipeline(steps(), parameters);
    const first = await local.run({ Text: 'a' });
    const again = await local.run({ Text: 'a' });
    const other = await local.run({ Text: 'b' });
    expect(first.steps[0]!.CacheHitResult).toBeUndefined();
    expect(again.steps[0]!).toMatchObject({
      StepStatus: 'Succeeded',
      CacheHitResult: { SourcePipelineExecutionArn: first.arn },
      Metadata: first.steps[0]!.Metadata,
    });
    expect(other.steps[0]!.CacheHitResult).toBeUndefined();
    expect([...local.store.objects.keys()]).toHaveLength(2);
  });

  test('a failed step is not taken over', async () => {
    await local.createPipeline([
      processing('Break', ['fail', 'x', '/opt/ml/output/message'], { step: { CacheConfig: { Enabled: true } } }),
    ]);
    await local.run();
    const { steps: second } = await local.run();
    expect(second[0]).toMatchObject({ StepStatus: 'Failed', AttemptCount: 1 });
  });
});

describe('retries', () => {
  const policy = { RetryPolicies: [{ ExceptionType: ['Step.SERVICE_FAULT'], IntervalSeconds: 1, MaxAttempts: 2 }] };
  const reading = (step?: Record<string, unknown>): unknown =>
    processing('Read', ['say', 'ok'], { inputs: [input('a', 's3://bucket/a/')], step });

  test.each<[number, Record<string, unknown> | undefined, string, number]>([
    [2, policy, 'Succeeded', 3],
    [3, policy, 'Failed', 3],
    [1, undefined, 'Failed', 1],
  ])('%d faults of the service', async (times, step, status, attempts) => {
    await local.store.put('bucket', 'a/b', Buffer.from('x'));
    local.store.failing = { contains: 'a/b', times };
    await local.createPipeline([reading(step)]);
    const { steps } = await local.run();
    expect(steps[0]).toMatchObject({ StepStatus: status, AttemptCount: attempts });
  });

  test('a failure of the step’s own code is not retried', async () => {
    await local.createPipeline([processing('Break', ['fail', 'x', '/opt/ml/output/message'], { step: policy })]);
    expect((await local.run()).steps[0]).toMatchObject({ StepStatus: 'Failed', AttemptCount: 1 });
  });
});

describe('stopping', () => {
  test('StopPipelineExecution ends what runs', async () => {
    await local.createPipeline([
      processing('Wait', ['say', 'up', ';', 'wait']),
      { ...processing('Never', []), DependsOn: ['Wait'] },
    ]);
    const arn = await local.start();
    await local.until(arn, () => local.lines.includes('up'));
    await local.call('StopPipelineExecution', { PipelineExecutionArn: arn, ClientRequestToken: local.token() });
    const execution = await local.ended(arn);
    expect(execution.PipelineExecutionStatus).toBe('Stopped');
    expect((await local.steps(arn)).map(({ StepName, StepStatus }) => [StepName, StepStatus])).toEqual([
      ['Wait', 'Stopped'],
    ]);
  });

  test('after a restart an execution goes on with the steps that had not ended', async () => {
    await local.createPipeline(
      [
        processing('First', ['write', '/opt/ml/processing/o/first', 'x'], { outputs: { o: 's3://bucket/o' } }),
        {
          ...processing(
            'Second',
            [
              'say',
              'up',
              ';',
              'copy',
              '/opt/ml/processing/in/go',
              '/opt/ml/processing/o/go',
              ';',
              get('Parameters.Then'),
            ],
            { outputs: { o: 's3://bucket/o' }, inputs: [input('go', 's3://bucket/go')] },
          ),
          DependsOn: ['First'],
        },
      ],
      [{ Name: 'Then', Type: 'String', DefaultValue: 'wait' }],
    );
    await local.store.put('bucket', 'go/x', Buffer.from('x'));
    const arn = await local.start();
    await local.until(arn, () => local.lines.includes('up'));
    await local.service.close();
    local.lines.length = 0;
    local.open();
    expect((await local.steps(arn)).map(({ StepName }) => StepName)).toEqual(['First', 'Second']);
    await local.service.resume();
    await local.until(arn, () => local.lines.includes('up'));
    const jobs = await local.call<{
      ProcessingJobSummaries: { ProcessingJobStatus: string; ProcessingJobName: string }[];
    }>('ListProcessingJobs', {});
    expect(jobs.ProcessingJobSummaries.map(({ ProcessingJobStatus }) => ProcessingJobStatus).sort()).toEqual([
      'Completed',
      'InProgress',
      'Stopped',
    ]);
    expect((await local.steps(arn)).map(({ StepName, StepStatus }) => [StepName, StepStatus])).toEqual([
      ['First', 'Succeeded'],
      ['Second', 'Executing'],
    ]);
  });
});

test('job directories hold the log and the configuration for whoever looks', async () => {
  await local.createPipeline([processing('Say', ['say', 'hello'])]);
  await local.run();
  const { ProcessingJobSummaries } = await local.call<{ ProcessingJobSummaries: { ProcessingJobName: string }[] }>(
    'ListProcessingJobs',
    {},
  );
  const directory = join(local.directory, 'state/jobs', ProcessingJobSummaries[0]!.ProcessingJobName);
  expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('hello\n');
  expect(existsSync(join(directory, 'config/processingjobconfig.json'))).toBe(true);
});
