import { pipelineDefinition, type PipelineDefinitionProps } from '../../lib/constructs/training/pipeline-definition';
import type { PipelineDefinition, Step } from '../../lib/constructs/training/pipeline-schema';
import { PipelineParameter, PipelineStep } from '../../lib/contracts/training';
import { useCases } from '../../use-cases';
import { environmentNames, resourcesOf, synthesize } from '../stacks/support/synthesize';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- step arguments are checked by shape
type Loose = any;

const props: PipelineDefinitionProps = {
  useCase: useCases[0]!,
  roleArn: 'arn:aws:iam::123456789012:role/training',
  processingImage: 'processing:1',
  processingInstanceType: 'ml.m5.large',
  trainingImage: 'sagemaker-xgboost:3.0-5',
  trainingInstanceType: 'ml.m5.xlarge',
  spot: false,
  maxRuntimeSeconds: 1800,
  artifactBucket: 'artifacts',
  kmsKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/k',
  modelPackageGroup: 'models',
};

/** Steps of a definition, those in branches included, each with the branch it stands in. */
function allSteps(steps: readonly Step[], branch = ''): { step: Step; branch: string }[] {
  return steps.flatMap((step) => [
    { step, branch },
    ...(step.Type === 'Condition'
      ? [
          ...allSteps(step.Arguments.IfSteps, `${step.Name}/if`),
          ...allSteps(step.Arguments.ElseSteps, `${step.Name}/else`),
        ]
      : []),
  ]);
}

/** Every `Get` in a value. */
function references(value: Loose): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (typeof value.Get === 'string') return [value.Get];
  return Object.values(value).flatMap(references);
}

const EXECUTION_VARIABLES = new Set(['PipelineExecutionId']);

/** Everything that CreatePipeline, or the first execution, would refuse. */
function problemsOf(definition: PipelineDefinition): string[] {
  const problems: string[] = [];
  const parameters = new Set(definition.Parameters.map(({ Name }) => Name));
  const steps = allSteps(definition.Steps);
  const byName = new Map(steps.map(({ step, branch }) => [step.Name, { step, branch }]));
  if (byName.size !== steps.length) problems.push('step names are not unique');

  for (const { step, branch } of steps) {
    if (!/^[A-Za-z0-9\-_]{1,64}$/.test(step.Name)) problems.push(`${step.Name}: bad name`);
    const own = step.Type === 'Condition' ? step.Arguments.Conditions : step.Arguments;
    for (const reference of references(own)) {
      const [kind, name = ''] = reference.split('.', 2);
      if (kind === 'Parameters' && !parameters.has(name)) problems.push(`${step.Name}: ${reference} is not declared`);
      else if (kind === 'Execution' && !EXECUTION_VARIABLES.has(name)) problems.push(`${step.Name}: ${reference}`);
      else if (kind === 'Steps') {
        const target = byName.get(name);
        if (!target || !resolves(target.step, reference.slice(`Steps.${name}.`.length))) {
          problems.push(`${step.Name}: ${reference} does not resolve`);
        } else if (!branch.startsWith(target.branch)) problems.push(`${step.Name}: reads a branch that may not run`);
      }
    }
  }
  for (const { step } of steps) {
    if (
      step.Type === 'RegisterModel' &&
      step.RetryPolicies.some(({ ExceptionType }) => ExceptionType.some((type) => !type.startsWith('Step.')))
    ) {
      problems.push(`${step.Name}: RegisterModel takes the Step. types only`);
    }
    for (const policy of 'RetryPolicies' in step ? step.RetryPolicies : []) {
      if ((policy.MaxAttempts === undefined) === (policy.ExpireAfterMin === undefined))
        problems.push(`${step.Name}: retry limit`);
    }
  }
  return problems;
}

function resolves(step: Step, property: string): boolean {
  const args = step.Arguments as Loose;
  const output = /^ProcessingOutputConfig\.Outputs\['([a-z]+)'\]\.S3Output\.S3Uri$/.exec(property)?.[1];
  if (output) return args.ProcessingOutputConfig?.Outputs.some(({ OutputName }: Loose) => OutputName === output);
  const file = /^PropertyFiles\.(\w+)$/.exec(property)?.[1];
  if (file && step.Type === 'Processing') {
    return (step.PropertyFiles ?? []).some(
      ({ PropertyFileName, OutputName }) =>
        PropertyFileName === file &&
        args.ProcessingOutputConfig.Outputs.some((output: Loose) => output.OutputName === OutputName),
    );
  }
  return step.Type === 'Training' && property === 'ModelArtifacts.S3ModelArtifacts';
}

const definition = pipelineDefinition(props);
const step = (name: string): Loose => allSteps(definition.Steps).find((entry) => entry.step.Name === name)!.step;

describe.each(useCases.map((useCase) => [useCase.name, useCase] as const))('%s', (_, useCase) => {
  test('the definition is valid', () => {
    expect(problemsOf(pipelineDefinition({ ...props, useCase }))).toEqual([]);
    expect(problemsOf(pipelineDefinition({ ...props, useCase, spot: true }))).toEqual([]);
  });
});

test('the check itself finds what is wrong', () => {
  const broken = JSON.parse(
    JSON.stringify(definition)
      .replace('"Name":"DatasetHash"', '"Name":"Other"')
      .replaceAll("Outputs['test']", "Outputs['tests']")
      .replace('"Name":"RegisterModel"', '"Name":"Train"'),
  );
  expect(problemsOf(broken)).toEqual(
    expect.arrayContaining([
      'step names are not unique',
      'PrepareDataset: Parameters.DatasetHash is not declared',
      expect.stringContaining("Outputs['tests'].S3Output.S3Uri does not resolve"),
    ]),
  );
});

test('names are those of the contract', () => {
  expect(allSteps(definition.Steps).map((entry) => entry.step.Name)).toEqual(Object.values(PipelineStep));
  expect(definition.Parameters.map(({ Name }) => Name)).toEqual(Object.values(PipelineParameter));
});

test('the training container gets flat folders of Parquet, its label first, and no checkpoints', () => {
  const { InputDataConfig, ...training } = step('Train').Arguments;
  expect(
    InputDataConfig.map((channel: Loose) => [
      channel.ChannelName,
      channel.ContentType,
      channel.DataSource.S3DataSource.S3DataType,
    ]),
  ).toEqual([
    ['train', 'application/x-parquet', 'S3Prefix'],
    ['validation', 'application/x-parquet', 'S3Prefix'],
  ]);
  expect(training).not.toHaveProperty('CheckpointConfig');
  expect(training.EnableNetworkIsolation).toBe(true);
  expect(training.HyperParameters).toEqual(useCases[0]!.training.hyperparameters);
});

test('spot training waits an hour at most', () => {
  const spot = pipelineDefinition({ ...props, spot: true }).Steps[1] as Loose;
  expect(spot.Arguments).toMatchObject({
    EnableManagedSpotTraining: true,
    StoppingCondition: { MaxRuntimeInSeconds: 1800, MaxWaitTimeInSeconds: 3600 },
  });
  expect(step('Train').Arguments.StoppingCondition).toEqual({ MaxRuntimeInSeconds: 1800 });
});

test('splits go where the parameter says, so the hash is in their path', () => {
  const outputs = step('PrepareDataset').Arguments.ProcessingOutputConfig.Outputs;
  expect(outputs.map(({ OutputName, S3Output }: Loose) => [OutputName, S3Output.S3Uri])).toEqual(
    ['train', 'validation', 'test', 'dataset'].map((split) => [
      split,
      { 'Std:Join': { On: '/', Values: [{ Get: 'Parameters.DatasetUri' }, split] } },
    ]),
  );
});

test('a refused model fails the execution with the reason', () => {
  expect(step('GateFailed').Arguments.ErrorMessage).toEqual({
    'Std:Join': {
      On: ' ',
      Values: [
        'The quality gate refused the model:',
        {
          'Std:JsonGet': {
            PropertyFile: { Get: 'Steps.Evaluate.PropertyFiles.EvaluationReport' },
            Path: 'gate.reason',
          },
        },
      ],
    },
  });
});

test.each([...environmentNames])('what %s deploys is JSON below the service limit', (environment) => {
  const pipelines = [...resourcesOf(synthesize(environment), 'AWS::SageMaker::Pipeline').values()];
  expect(pipelines).toHaveLength(useCases.length);
  for (const { Properties } of pipelines) {
    const parts: unknown[] = Properties.PipelineDefinition.PipelineDefinitionBody['Fn::Join'][1];
    const body = parts.map((part) => (typeof part === 'string' ? part : 'x'.repeat(100))).join('');
    expect(body.length).toBeLessThan(100_000);
    expect(problemsOf(JSON.parse(body))).toEqual([]);
  }
});
