/** The pure decisions of the executor. */
import { AwsError } from '../../../local/gateway/service';
import { allHold } from '../../../local/services/sagemaker/pipeline/conditions';
import { type Definition, type Step, planSteps } from '../../../local/services/sagemaker/pipeline/definition';
import type {
  ExecutionRecord,
  StepRecord,
  StepStatus,
} from '../../../local/services/sagemaker/pipeline/execution-record';
import { nextRetry } from '../../../local/services/sagemaker/pipeline/retry';
import { decide } from '../../../local/services/sagemaker/pipeline/schedule';
import { cacheKey, findCached } from '../../../local/services/sagemaker/pipeline/step-cache';
import { StepFailure, asStepFailure } from '../../../local/services/sagemaker/pipeline/step-failure';

describe('conditions', () => {
  const left = (Type: string, LeftValue: unknown, RightValue: unknown): object => ({ Type, LeftValue, RightValue });

  test.each<[object, boolean]>([
    [left('Equals', 'a', 'a'), true],
    [left('Equals', true, false), false],
    [left('GreaterThan', 2, 1), true],
    [left('GreaterThan', 1, 1), false],
    [left('GreaterThanOrEqualTo', 1, 1), true],
    [left('LessThan', 1, 2), true],
    [left('LessThan', 2, 2), false],
    [left('LessThanOrEqualTo', 3, 2), false],
    [{ Type: 'In', QueryValue: 'b', Values: ['a', 'b'] }, true],
    [{ Type: 'In', Value: 'c', In: ['a', 'b'] }, false],
    [{ Type: 'Or', Conditions: [left('Equals', 1, 2), left('Equals', 1, 1)] }, true],
    [{ Type: 'Or', Conditions: [] }, false],
    [{ Type: 'Not', Expression: left('Equals', 1, 2) }, true],
  ])('%j', (condition, expected) => expect(allHold([condition])).toBe(expected));

  test('all of a list must hold', () => {
    expect(allHold([left('Equals', 1, 1), left('Equals', 1, 2)])).toBe(false);
  });

  test.each<[object, RegExp]>([
    [left('GreaterThan', '2', 1), /compares string with number/],
    [left('Equals', 'true', true), /compares string with boolean/],
    [left('LessThan', null, 1), /compares null with number/],
    [{ Type: 'Between' }, /"Between" is not one of/],
  ])('%j fails the step', (condition, message) => {
    expect(() => allHold([condition])).toThrow(message);
  });
});

describe('retries', () => {
  const policies = [
    { ExceptionType: ['Step.THROTTLING', 'Step.SERVICE_FAULT'], IntervalSeconds: 2, BackoffRate: 3, MaxAttempts: 2 },
    { ExceptionType: ['SageMaker.CAPACITY_ERROR'], ExpireAfterMin: 1 },
  ];
  const throttled = new StepFailure('slow down', 'Step.THROTTLING');

  test('wait by interval and backoff, up to MaxAttempts', () => {
    expect(nextRetry(policies, throttled, { retries: [0, 0], elapsed: 0 })).toEqual({ policy: 0, delayMs: 2000 });
    expect(nextRetry(policies, throttled, { retries: [1, 0], elapsed: 0 })).toEqual({ policy: 0, delayMs: 6000 });
    expect(nextRetry(policies, throttled, { retries: [2, 0], elapsed: 0 })).toBeUndefined();
  });

  test('defaults are 1 s and doubling, until the policy expires', () => {
    const full = new StepFailure('no capacity', 'SageMaker.CAPACITY_ERROR');
    expect(nextRetry(policies, full, { retries: [0, 3], elapsed: 0 })).toEqual({ policy: 1, delayMs: 8000 });
    expect(nextRetry(policies, full, { retries: [0, 3], elapsed: 55_000 })).toBeUndefined();
  });

  test('what no policy names, and what has no type, is final', () => {
    expect(
      nextRetry(policies, new StepFailure('x', 'SageMaker.RESOURCE_LIMIT'), { retries: [0, 0], elapsed: 0 }),
    ).toBeUndefined();
    expect(nextRetry(policies, new StepFailure('x'), { retries: [0, 0], elapsed: 0 })).toBeUndefined();
  });

  test('faults and throttling of a service are typed, its refusals are not', () => {
    expect(asStepFailure(new AwsError('InternalError', 'x', 500)).retryType).toBe('Step.SERVICE_FAULT');
    expect(asStepFailure(new AwsError('ThrottlingException', 'x')).retryType).toBe('Step.THROTTLING');
    expect(asStepFailure(new AwsError('NoSuchKey', 'x', 404)).retryType).toBeUndefined();
  });
});

describe('schedule', () => {
  const step = (Name: string, more: Partial<Step> = {}): Step => ({ Name, Type: 'Processing', Arguments: {}, ...more });
  const definition: Definition = {
    Parameters: [],
    Steps: [
      step('A'),
      step('B', { Arguments: { X: { Get: 'Steps.A.Y' } } }),
      step('C', { DependsOn: ['A'] }),
      {
        Name: 'Gate',
        Type: 'Condition',
        Arguments: {
          Conditions: [{ Type: 'Equals', LeftValue: { Get: 'Steps.B.Y' }, RightValue: 1 }],
          IfSteps: [step('Yes', { Type: 'RegisterModel', Arguments: { X: { Get: 'Steps.A.Y' } } })],
          ElseSteps: [step('No', { Type: 'Fail' })],
        },
      },
    ],
  };
  const plan = planSteps(definition);
  const states = (given: Record<string, StepStatus>, outcome = 'True'): Map<string, StepRecord> =>
    new Map(
      Object.entries(given).map(([name, status]) => [
        name,
        { name, type: '', status, startTime: 0, attempts: 1, properties: { Outcome: outcome } },
      ]),
    );
  const started = (given: Record<string, StepStatus>, outcome?: string, parallel = 9): unknown => {
    const decision = decide(plan, states(given, outcome), false, parallel);
    return decision.kind === 'start' ? decision.steps.map((planned) => planned.step.Name) : decision;
  };

  test('follows references, DependsOn and the branch taken', () => {
    expect(started({})).toEqual(['A']);
    expect(started({ A: 'Executing' })).toEqual({ kind: 'wait' });
    expect(started({ A: 'Succeeded' })).toEqual(['B', 'C']);
    expect(started({ A: 'Succeeded', B: 'Succeeded', C: 'Executing' })).toEqual(['Gate']);
    expect(started({ A: 'Succeeded', B: 'Succeeded', C: 'Succeeded', Gate: 'Succeeded' })).toEqual(['Yes']);
    expect(started({ A: 'Succeeded', B: 'Succeeded', C: 'Succeeded', Gate: 'Succeeded' }, 'False')).toEqual(['No']);
    expect(started({ A: 'Succeeded', B: 'Succeeded', C: 'Succeeded', Gate: 'Succeeded', Yes: 'Succeeded' })).toEqual({
      kind: 'finish',
      status: 'Succeeded',
    });
  });

  test('no more at once than allowed', () => {
    expect(started({ A: 'Succeeded' }, 'True', 1)).toEqual(['B']);
    expect(started({ A: 'Succeeded', B: 'Executing' }, 'True', 1)).toEqual({ kind: 'wait' });
  });

  test('after a failure nothing new starts, what runs ends', () => {
    expect(started({ A: 'Succeeded', B: 'Failed', C: 'Executing' })).toEqual({ kind: 'wait' });
    expect(started({ A: 'Succeeded', B: 'Failed', C: 'Succeeded' })).toEqual({ kind: 'finish', status: 'Failed' });
    expect(decide(plan, states({ A: 'Stopped' }), true, 9)).toEqual({ kind: 'finish', status: 'Stopped' });
  });
});

describe('step cache', () => {
  const train: Step = {
    Name: 'Train',
    Type: 'Training',
    Arguments: {},
    CacheConfig: { Enabled: true, ExpireAfter: 'P1D' },
  };
  const request = {
    HyperParameters: { eta: '1', b: '2' },
    InputDataConfig: [{ S3Uri: 's3://b/1' }],
    OutputDataConfig: { S3OutputPath: 's3://b/o' },
  };

  test('the key is made of what decides the result: neither outputs nor the order of members', () => {
    const key = cacheKey(train, request)!;
    expect(cacheKey(train, { ...request, OutputDataConfig: { S3OutputPath: 's3://b/other' }, RoleArn: 'r' })).toBe(key);
    expect(cacheKey(train, { ...request, HyperParameters: { b: '2', eta: '1' } })).toBe(key);
    expect(cacheKey(train, { ...request, InputDataConfig: [{ S3Uri: 's3://b/2' }] })).not.toBe(key);
    expect(cacheKey({ ...train, CacheConfig: undefined }, request)).toBeUndefined();
    expect(cacheKey({ ...train, Type: 'RegisterModel' }, request)).toBeUndefined();
  });

  test('the newest true run within the age counts; hits do not renew it', () => {
    const day = 86_400_000;
    const record = (more: Partial<StepRecord>): StepRecord => ({
      name: 'Train',
      type: 'Training',
      status: 'Succeeded',
      startTime: 0,
      endTime: 0,
      attempts: 1,
      cacheKey: 'k',
      ...more,
    });
    const execution = (arn: string, step: StepRecord): ExecutionRecord =>
      ({ arn, steps: [step] }) as unknown as ExecutionRecord;
    const history = [
      execution('old', record({ endTime: 0 })),
      execution('new', record({ endTime: 1000 })),
      execution('hit', record({ endTime: 2000, cacheSource: 'new' })),
      execution('failed', record({ endTime: 3000, status: 'Failed' })),
    ];
    expect(findCached(train, 'k', history, day)?.source).toBe('new');
    expect(findCached(train, 'k', history, day + 1001)).toBeUndefined();
    expect(findCached(train, 'other', history, 0)).toBeUndefined();
    expect(findCached({ ...train, Name: 'Other' }, 'k', history, 0)).toBeUndefined();
  });
});
