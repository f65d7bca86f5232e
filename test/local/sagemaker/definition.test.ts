import { definitionProblems } from '../../../local/services/sagemaker/pipeline/check-definition';
import { parseDuration } from '../../../local/services/sagemaker/pipeline/duration';
import { parsePath, valueAt } from '../../../local/services/sagemaker/pipeline/property-path';
import { resolveParameters } from '../../../local/services/sagemaker/pipeline/parameters';
import { fail, get, input, processing, training } from './support/local-sagemaker';

const condition = (name: string, left: unknown, ifSteps: unknown[] = [], elseSteps: unknown[] = []): unknown => ({
  Name: name,
  Type: 'Condition',
  Arguments: {
    Conditions: [{ Type: 'Equals', LeftValue: left, RightValue: 1 }],
    IfSteps: ifSteps,
    ElseSteps: elseSteps,
  },
});
const report = {
  step: { PropertyFiles: [{ PropertyFileName: 'R', OutputName: 'o', FilePath: 'r.json' }] },
  outputs: { o: 's3://bucket/o' },
};

describe('what CreatePipeline refuses', () => {
  test.each<[string, unknown, RegExp]>([
    ['an unknown step type', { Steps: [{ Name: 'A', Type: 'EMR', Arguments: {} }] }, /step A: Type "EMR"/],
    ['no steps', { Steps: [] }, /at least one step/],
    ['a bad name', { Steps: [processing('a b', [])] }, /Steps\[0\]\.Name must match/],
    [
      'a name used twice, once in a branch',
      { Steps: [processing('A', []), condition('C', 1, [fail('A', 'x')])] },
      /step name A is used twice/,
    ],
    [
      'an undeclared parameter',
      { Steps: [processing('A', [get('Parameters.Nope')])] },
      /step A: Arguments\.AppSpecification\.ContainerArguments\[0\]: parameter Nope is not declared/,
    ],
    ['a step that does not exist', { Steps: [processing('A', [get('Steps.B.X')])] }, /there is no step B/],
    [
      'a property that the step type lacks',
      { Steps: [processing('A', []), processing('B', [get('Steps.A.ModelArtifacts.S3ModelArtifacts')])] },
      /a Processing step has no ModelArtifacts/,
    ],
    [
      'an output that the step lacks',
      {
        Steps: [
          processing('A', [], { outputs: { o: 's3://bucket/o' } }),
          processing('B', [get("Steps.A.ProcessingOutputConfig.Outputs['p'].S3Output.S3Uri")]),
        ],
      },
      /step A has no output p/,
    ],
    [
      'a property file that is not declared',
      {
        Steps: [
          processing('A', [], report),
          fail('F', { 'Std:JsonGet': { PropertyFile: get('Steps.A.PropertyFiles.Q'), Path: 'x' } }),
        ],
      },
      /declares no property file Q/,
    ],
    [
      'a property file of an output that is not there',
      { Steps: [processing('A', [], { ...report, outputs: {} })] },
      /there is no output o/,
    ],
    ['an unknown execution variable', { Steps: [fail('F', get('Execution.Weather'))] }, /Execution\.Weather/],
    ['a reference outside the scopes', { Steps: [fail('F', get('Secrets.X'))] }, /must begin with/],
    [
      'DependsOn of nothing',
      { Steps: [{ ...processing('A', []), DependsOn: ['Z'] }] },
      /step A: DependsOn: there is no step Z/,
    ],
    [
      'a cycle',
      {
        Steps: [
          { ...processing('A', []), DependsOn: ['B'] },
          { ...processing('B', []), DependsOn: ['A'] },
        ],
      },
      /wait for each other: A → B → A/,
    ],
    [
      'a step that waits for one of a branch',
      { Steps: [condition('C', 1, [processing('A', [])]), { ...processing('B', []), DependsOn: ['A'] }] },
      /in a branch of C/,
    ],
    [
      'a default of another type',
      { Parameters: [{ Name: 'N', Type: 'Integer', DefaultValue: 'x' }], Steps: [fail('F', 'x')] },
      /N: DefaultValue is not of type Integer/,
    ],
    [
      'both limits in a retry policy',
      {
        Steps: [
          processing('A', [], {
            step: { RetryPolicies: [{ ExceptionType: ['Step.THROTTLING'], MaxAttempts: 2, ExpireAfterMin: 5 }] },
          }),
        ],
      },
      /exactly one of MaxAttempts/,
    ],
    [
      'job errors in the policy of RegisterModel',
      {
        Steps: [
          {
            Name: 'R',
            Type: 'RegisterModel',
            Arguments: {},
            RetryPolicies: [{ ExceptionType: ['SageMaker.CAPACITY_ERROR'], MaxAttempts: 2 }],
          },
        ],
      },
      /accepts Step\.\* exception types only/,
    ],
  ])('%s', (_name, definition, message) => {
    expect(definitionProblems(definition).join('; ')).toMatch(message);
  });

  test('lists every problem at once', () => {
    const problems = definitionProblems({ Steps: [processing('A', [get('Parameters.X'), get('Parameters.Y')])] });
    expect(problems).toHaveLength(2);
  });

  test('accepts a pipeline with references, branches and property files', () => {
    const definition = {
      Version: '2020-12-01',
      Metadata: {},
      Parameters: [{ Name: 'Uri', Type: 'String' }],
      Steps: [
        processing('P', [], { inputs: [input('i', get('Parameters.Uri'))], ...report }),
        training('T', get("Steps.P.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri")),
        condition(
          'C',
          get("Steps.T.FinalMetricDataList['validation:rmse'].Value"),
          [],
          [fail('F', get('Execution.PipelineName'))],
        ),
      ],
    };
    expect(definitionProblems(definition)).toEqual([]);
  });
});

describe('property paths', () => {
  test.each<[string, unknown]>([
    ['a.b', 1],
    ['$.a.b', 1],
    ['list[1].Value', 3],
    ["list['rmse'].Value", 2],
    ['list["mae"].Value', 3],
    ["a['b']", 1],
    ['a.toString', undefined],
    ['list[7]', undefined],
  ])('%s', (path, expected) => {
    const root = {
      a: { b: 1 },
      list: [
        { MetricName: 'rmse', Value: 2 },
        { MetricName: 'mae', Value: 3 },
      ],
    };
    expect(valueAt(root, parsePath(path)!)).toBe(expected);
  });

  test.each(['', 'a[', 'a..b', "a['b"])('"%s" is not a path', (path) => {
    expect(parsePath(path)).toBeUndefined();
  });
});

describe('parameters', () => {
  const declared = [
    { Name: 'Uri', Type: 'String' },
    { Name: 'Rows', Type: 'Integer', DefaultValue: 5 },
    { Name: 'Rate', Type: 'Float', DefaultValue: 0.5 },
    { Name: 'Deep', Type: 'Boolean', DefaultValue: false },
    { Name: 'Kind', Type: 'String', DefaultValue: 'a', EnumValues: ['a', 'b'] },
  ] as const;
  const given = (values: Record<string, string>): { Name: string; Value: string }[] =>
    Object.entries(values).map(([Name, Value]) => ({ Name, Value }));

  test('strings become the declared types; the rest are defaults', () => {
    expect(resolveParameters(declared, given({ Uri: 's3://b', Rows: '7', Rate: '1e-2', Deep: 'True' }))).toEqual({
      Uri: 's3://b',
      Rows: 7,
      Rate: 0.01,
      Deep: true,
      Kind: 'a',
    });
  });

  test.each<[Record<string, string>, RegExp]>([
    [{}, /Uri has no default/],
    [{ Uri: 'x', Rows: '1.5' }, /Rows must be a whole number/],
    [{ Uri: 'x', Rows: '' }, /Rows must be a number/],
    [{ Uri: 'x', Deep: 'yes' }, /Deep must be true or false/],
    [{ Uri: 'x', Kind: 'c' }, /Kind must be one of a, b/],
    [{ Uri: 'x', Other: 'c' }, /declares no parameter Other; it declares Uri, Rows/],
    [{ Uri: 'x'.repeat(1025) }, /1025 characters/],
  ])('%j is refused', (values, message) => {
    expect(() => resolveParameters(declared, given(values))).toThrow(message);
  });
});

test.each<[string, number]>([
  ['P30D', 30 * 86_400_000],
  ['PT1H30M', 5_400_000],
  ['P1W', 7 * 86_400_000],
  ['p30d', 30 * 86_400_000],
])('duration %s', (text, expected) => expect(parseDuration(text)).toBe(expected));

test.each(['', 'P', '30 days', 'P1.5D'])('"%s" is no duration', (text) => expect(parseDuration(text)).toBeNaN());
