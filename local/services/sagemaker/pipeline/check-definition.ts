/** What CreatePipeline refuses. Pure: the definition in, a list of problems out, each naming the step and the place. */
import {
  type Definition,
  type PlannedStep,
  type Step,
  STEP_TYPES,
  ownArguments,
  planSteps,
  references,
} from './definition';
import { parsePath } from './property-path';

const EXECUTION_VARIABLES = [
  'PipelineArn',
  'PipelineName',
  'PipelineExecutionArn',
  'PipelineExecutionId',
  'StartDateTime',
  'CurrentDateTime',
];

/** The members of a step that others may read: those of the job's or package's Describe output. */
const STEP_PROPERTIES: Readonly<Record<Step['Type'], readonly string[]>> = {
  Processing: [
    'ProcessingJobName',
    'ProcessingJobArn',
    'ProcessingJobStatus',
    'ProcessingInputs',
    'ProcessingOutputConfig',
    'ProcessingResources',
    'AppSpecification',
    'Environment',
    'RoleArn',
    'StoppingCondition',
    'NetworkConfig',
    'ExitMessage',
    'PropertyFiles',
  ],
  Training: [
    'TrainingJobName',
    'TrainingJobArn',
    'TrainingJobStatus',
    'ModelArtifacts',
    'AlgorithmSpecification',
    'HyperParameters',
    'InputDataConfig',
    'OutputDataConfig',
    'ResourceConfig',
    'StoppingCondition',
    'FinalMetricDataList',
    'RoleArn',
    'BillableTimeInSeconds',
    'TrainingTimeInSeconds',
  ],
  Condition: ['Outcome'],
  RegisterModel: [
    'ModelPackageArn',
    'ModelPackageGroupName',
    'ModelPackageVersion',
    'ModelPackageStatus',
    'ModelApprovalStatus',
    'InferenceSpecification',
    'ModelMetrics',
    'CustomerMetadataProperties',
  ],
  Fail: ['ErrorMessage'],
};

const STEP_NAME = /^[A-Za-z0-9\-_]{1,64}$/;
const PARAMETER_TYPES = ['String', 'Integer', 'Float', 'Boolean'];
const MAXIMUM_STEPS = 50;
const MAXIMUM_ATTEMPTS = 20;
const MAXIMUM_EXPIRY_MINUTES = 14400;

/** Everything wrong with the parsed text of a definition; empty = accepted. */
export function definitionProblems(document: unknown): string[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    return ['the definition must be a JSON object'];
  const definition = document as Partial<Definition>;
  const shape = shapeProblems(definition);
  if (shape.length > 0) return shape;
  const whole: Definition = { Parameters: definition.Parameters ?? [], Steps: definition.Steps! };
  const planned = planSteps(whole);
  const problems = [...parameterProblems(whole), ...nameProblems(planned)];
  for (const step of planned) problems.push(...stepProblems(step, planned, whole));
  const cycle = findCycle(planned);
  if (cycle) problems.push(`steps wait for each other: ${cycle.join(' → ')}`);
  return problems;
}

function shapeProblems(definition: Partial<Definition>): string[] {
  const problems: string[] = [];
  if (definition.Version !== undefined && definition.Version !== '2020-12-01')
    problems.push('Version must be 2020-12-01');
  if (definition.Parameters !== undefined && !Array.isArray(definition.Parameters))
    problems.push('Parameters must be a list');
  if (!Array.isArray(definition.Steps) || definition.Steps.length === 0)
    return [...problems, 'Steps must be a list of at least one step'];
  const visit = (steps: readonly unknown[], place: string): void => {
    for (const [index, value] of steps.entries()) {
      const at = `${place}[${index}]`;
      if (typeof value !== 'object' || value === null) {
        problems.push(`${at} must be a step`);
        continue;
      }
      const step = value as Partial<Step>;
      if (typeof step.Name !== 'string' || !STEP_NAME.test(step.Name)) {
        problems.push(`${at}.Name must match ${STEP_NAME.source}`);
      }
      if (!STEP_TYPES.includes(step.Type as Step['Type'])) {
        problems.push(`step ${step.Name}: Type "${step.Type}" is not one that runs here: ${STEP_TYPES.join(', ')}`);
        continue;
      }
      if (typeof step.Arguments !== 'object' || step.Arguments === null || Array.isArray(step.Arguments)) {
        problems.push(`step ${step.Name}: Arguments must be a structure`);
        continue;
      }
      if (step.Type !== 'Condition') continue;
      if (!Array.isArray(step.Arguments.Conditions) || step.Arguments.Conditions.length === 0) {
        problems.push(`step ${step.Name}: Arguments.Conditions must list at least one condition`);
      }
      for (const branch of ['IfSteps', 'ElseSteps']) {
        const nested = step.Arguments[branch];
        if (nested === undefined) continue;
        if (Array.isArray(nested)) visit(nested, `${at}.Arguments.${branch}`);
        else problems.push(`step ${step.Name}: Arguments.${branch} must be a list of steps`);
      }
    }
  };
  visit(definition.Steps, 'Steps');
  return problems;
}

function parameterProblems({ Parameters }: Definition): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { Name, Type, DefaultValue, EnumValues } of Parameters) {
    if (seen.has(Name)) problems.push(`parameter ${Name} is declared twice`);
    seen.add(Name);
    if (!/^[A-Za-z0-9\-_]{1,256}$/.test(Name))
      problems.push(`parameter name "${Name}" must match [A-Za-z0-9\\-_]{1,256}`);
    if (!PARAMETER_TYPES.includes(Type))
      problems.push(`parameter ${Name}: Type must be one of ${PARAMETER_TYPES.join(', ')}`);
    else if (DefaultValue !== undefined && !hasType(DefaultValue, Type))
      problems.push(`parameter ${Name}: DefaultValue is not of type ${Type}`);
    if (EnumValues && DefaultValue !== undefined && !EnumValues.includes(DefaultValue)) {
      problems.push(`parameter ${Name}: DefaultValue is not one of its EnumValues`);
    }
  }
  return problems;
}

function hasType(value: unknown, type: string): boolean {
  if (type === 'Integer') return Number.isInteger(value);
  if (type === 'Float') return typeof value === 'number';
  return typeof value === type.toLowerCase();
}

function nameProblems(planned: readonly PlannedStep[]): string[] {
  const names = planned.map(({ step }) => step.Name);
  const problems = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
    (name) => `step name ${name} is used twice`,
  );
  if (names.length > MAXIMUM_STEPS) problems.push(`a pipeline has at most ${MAXIMUM_STEPS} steps, not ${names.length}`);
  return problems;
}

function stepProblems(planned: PlannedStep, all: readonly PlannedStep[], definition: Definition): string[] {
  const { step } = planned;
  const problems: string[] = [];
  const fault = (place: string, text: string): void => void problems.push(`step ${step.Name}: ${place}: ${text}`);
  for (const name of step.DependsOn ?? []) {
    const other = all.find((candidate) => candidate.step.Name === name);
    if (!other) fault('DependsOn', `there is no step ${name}`);
    else if (rejoins(planned, other))
      fault('DependsOn', `${name} is in a branch of ${other.branch!.condition} and may never run`);
  }
  for (const { path, place } of references(ownArguments(step), 'Arguments')) {
    const problem = referenceProblem(path, planned, all, definition);
    if (problem !== undefined) fault(place, problem);
  }
  for (const policy of step.RetryPolicies ?? []) {
    if (!Array.isArray(policy.ExceptionType) || policy.ExceptionType.length === 0)
      fault('RetryPolicies', 'ExceptionType is required');
    if ((policy.MaxAttempts === undefined) === (policy.ExpireAfterMin === undefined)) {
      fault('RetryPolicies', 'exactly one of MaxAttempts and ExpireAfterMin is required');
    }
    if ((policy.MaxAttempts ?? 1) > MAXIMUM_ATTEMPTS)
      fault('RetryPolicies', `MaxAttempts is at most ${MAXIMUM_ATTEMPTS}`);
    if ((policy.ExpireAfterMin ?? 1) > MAXIMUM_EXPIRY_MINUTES)
      fault('RetryPolicies', `ExpireAfterMin is at most ${MAXIMUM_EXPIRY_MINUTES}`);
    const foreign =
      step.Type === 'RegisterModel' ? policy.ExceptionType?.filter((type) => !type.startsWith('Step.')) : [];
    if (foreign?.length)
      fault('RetryPolicies', `${step.Type} accepts Step.* exception types only, not ${foreign.join(', ')}`);
  }
  for (const file of step.PropertyFiles ?? []) {
    const outputs = (step.Arguments.ProcessingOutputConfig as { Outputs?: { OutputName?: string }[] } | undefined)
      ?.Outputs;
    if (!outputs?.some(({ OutputName }) => OutputName === file.OutputName)) {
      fault('PropertyFiles', `there is no output ${file.OutputName} for ${file.PropertyFileName}`);
    }
  }
  return problems;
}

/** A step outside a branch that waits for one inside it: the service has no rejoining. */
function rejoins(planned: PlannedStep, other: PlannedStep): boolean {
  if (!other.branch) return false;
  return planned.branch?.condition !== other.branch.condition || planned.branch.outcome !== other.branch.outcome;
}

function referenceProblem(
  path: string,
  planned: PlannedStep,
  all: readonly PlannedStep[],
  definition: Definition,
): string | undefined {
  const [, scope, rest] = /^(Parameters|Execution|Steps)\.(.+)$/s.exec(path) ?? [];
  if (scope === undefined) return `Get "${path}" must begin with Parameters., Execution. or Steps.`;
  if (scope === 'Parameters') {
    return definition.Parameters.some(({ Name }) => Name === rest) ? undefined : `parameter ${rest} is not declared`;
  }
  if (scope === 'Execution') {
    return EXECUTION_VARIABLES.includes(rest!)
      ? undefined
      : `Get "${path}" is not one of ${EXECUTION_VARIABLES.join(', ')}`;
  }
  const parts = parsePath(rest!);
  const [stepPart, property, detail] = parts ?? [];
  if (!stepPart || !('name' in stepPart) || !property || !('name' in property))
    return `Get "${path}" is not a path to a step's property`;
  const other = all.find(({ step }) => step.Name === stepPart.name);
  if (!other) return `Get "${path}": there is no step ${stepPart.name}`;
  if (other.step.Name === planned.step.Name) return `Get "${path}": a step cannot read itself`;
  if (rejoins(planned, other))
    return `Get "${path}": ${stepPart.name} is in a branch of ${other.branch!.condition} and may never run`;
  const known = STEP_PROPERTIES[other.step.Type];
  if (!known.includes(property.name))
    return `Get "${path}": a ${other.step.Type} step has no ${property.name}; it has ${known.join(', ')}`;
  if (property.name === 'PropertyFiles') {
    const name = detail && ('name' in detail ? detail.name : 'key' in detail ? detail.key : undefined);
    if (!other.step.PropertyFiles?.some(({ PropertyFileName }) => PropertyFileName === name)) {
      return `Get "${path}": step ${stepPart.name} declares no property file ${name}`;
    }
  }
  return outputProblem(path, other.step, parts!);
}

/** `Outputs['x']` must be an output that the step's arguments list. */
function outputProblem(path: string, step: Step, parts: ReturnType<typeof parsePath> & object): string | undefined {
  const [, property, list, element] = parts;
  if (!property || !('name' in property) || property.name !== 'ProcessingOutputConfig') return undefined;
  if (!list || !('name' in list) || list.name !== 'Outputs' || !element || !('key' in element)) return undefined;
  const outputs =
    (step.Arguments.ProcessingOutputConfig as { Outputs?: { OutputName?: unknown }[] } | undefined)?.Outputs ?? [];
  return outputs.some(({ OutputName }) => OutputName === element.key)
    ? undefined
    : `Get "${path}": step ${step.Name} has no output ${element.key}`;
}

function findCycle(planned: readonly PlannedStep[]): string[] | undefined {
  const after = new Map(planned.map(({ step, after: names }) => [step.Name, names]));
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const next of after.get(name) ?? []) {
      const cycle = visit(next, [...trail, name]);
      if (cycle) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const { step } of planned) {
    const cycle = visit(step.Name, []);
    if (cycle) return cycle;
  }
  return undefined;
}
