/** Types of a pipeline definition (version 2020-12-01) as it stands in PipelineDefinitionBody. */

export type StepType = 'Processing' | 'Training' | 'Condition' | 'RegisterModel' | 'Fail';
export const STEP_TYPES: readonly StepType[] = ['Processing', 'Training', 'Condition', 'RegisterModel', 'Fail'];

export type ParameterType = 'String' | 'Integer' | 'Float' | 'Boolean';
export type ParameterValue = string | number | boolean;

export interface ParameterDeclaration {
  readonly Name: string;
  readonly Type: ParameterType;
  readonly DefaultValue?: ParameterValue;
  readonly EnumValues?: readonly ParameterValue[];
}

export interface RetryPolicy {
  readonly ExceptionType: readonly string[];
  readonly IntervalSeconds?: number;
  readonly BackoffRate?: number;
  readonly MaxAttempts?: number;
  readonly ExpireAfterMin?: number;
}

export interface PropertyFile {
  readonly PropertyFileName: string;
  readonly OutputName: string;
  readonly FilePath: string;
}

export interface Step {
  readonly Name: string;
  readonly Type: StepType;
  readonly Arguments: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
  readonly DisplayName?: string;
  readonly Description?: string;
  readonly CacheConfig?: { readonly Enabled: boolean; readonly ExpireAfter?: string };
  readonly RetryPolicies?: readonly RetryPolicy[];
  readonly PropertyFiles?: readonly PropertyFile[];
}

export interface Definition {
  readonly Version?: string;
  readonly Parameters: readonly ParameterDeclaration[];
  readonly Steps: readonly Step[];
}

/** A step with what it waits for; the steps of a condition's branches are listed beside the others. */
export interface PlannedStep {
  readonly step: Step;
  /** Names of the steps that must have succeeded. */
  readonly after: readonly string[];
  /** For a step of a branch: it runs only where the condition came out so. */
  readonly branch?: { readonly condition: string; readonly outcome: boolean };
}

/** Steps in the order of the definition, branches after their condition. */
export function planSteps(definition: Definition): PlannedStep[] {
  const planned: PlannedStep[] = [];
  const visit = (steps: readonly Step[], branch?: PlannedStep['branch']): void => {
    for (const step of steps) {
      const waitsFor = new Set([...(step.DependsOn ?? []), ...referencedSteps(ownArguments(step))]);
      if (branch) waitsFor.add(branch.condition);
      planned.push({ step, after: [...waitsFor], branch });
      if (step.Type !== 'Condition') continue;
      visit(branchOf(step, 'IfSteps'), { condition: step.Name, outcome: true });
      visit(branchOf(step, 'ElseSteps'), { condition: step.Name, outcome: false });
    }
  };
  visit(definition.Steps);
  return planned;
}

export function branchOf(step: Step, branch: 'IfSteps' | 'ElseSteps'): readonly Step[] {
  return (step.Arguments[branch] as readonly Step[] | undefined) ?? [];
}

/** What the step itself reads: of a condition its conditions, not its branches. */
export function ownArguments(step: Step): unknown {
  return step.Type === 'Condition' ? step.Arguments.Conditions : step.Arguments;
}

/** Every `Get` path in a value, with the place where it stands. */
export function* references(value: unknown, place = ''): Generator<{ path: string; place: string }> {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) yield* references(element, `${place}[${index}]`);
    return;
  }
  const members = Object.entries(value);
  const [first] = members;
  if (members.length === 1 && first?.[0] === 'Get' && typeof first[1] === 'string') {
    yield { path: first[1], place };
    return;
  }
  for (const [key, member] of members) yield* references(member, place === '' ? key : `${place}.${key}`);
}

function referencedSteps(value: unknown): Set<string> {
  const names = new Set<string>();
  for (const { path } of references(value)) {
    const name = /^Steps\.([A-Za-z0-9\-_]+)/.exec(path)?.[1];
    if (name !== undefined) names.add(name);
  }
  return names;
}
