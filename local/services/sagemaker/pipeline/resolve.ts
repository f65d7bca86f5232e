/** Arguments with their references and functions replaced by values. */
import { StepFailure } from './step-failure';
import type { ParameterValue } from './definition';
import { parsePath, valueAt } from './property-path';

/** What references of one execution resolve against. */
export interface ResolutionContext {
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly execution: Readonly<Record<string, string>>;
  /** Properties of a step that succeeded, in the shape of its Describe output. */
  stepProperties(step: string): unknown;
  /** The parsed content of a step's property file. Throws StepFailure. */
  propertyFile(step: string, name: string): Promise<unknown>;
}

/** @throws StepFailure naming the reference that has no value. */
export async function resolve(value: unknown, context: ResolutionContext): Promise<unknown> {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const elements: unknown[] = [];
    for (const element of value) elements.push(await resolve(element, context));
    return elements;
  }
  const members = Object.entries(value);
  if (members.length === 1) {
    const [key, argument] = members[0]!;
    if (key === 'Get' && typeof argument === 'string') return resolveGet(argument, context);
    if (key === 'Std:Join') return join(argument, context);
    if (key === 'Std:JsonGet') return jsonGet(argument, context);
  }
  const resolved: Record<string, unknown> = {};
  for (const [key, member] of members) resolved[key] = await resolve(member, context);
  return resolved;
}

function resolveGet(path: string, context: ResolutionContext): unknown {
  const [, scope, rest] = /^(Parameters|Execution|Steps)\.(.+)$/s.exec(path) ?? [];
  if (scope === 'Parameters') return present(path, context.parameters[rest!]);
  if (scope === 'Execution') return present(path, context.execution[rest!]);
  const [step, ...parts] = parsePath(rest ?? '') ?? [];
  if (!step || !('name' in step)) throw new StepFailure(`Get "${path}" is not a path`);
  return present(path, valueAt(context.stepProperties(step.name), parts));
}

function present(path: string, value: unknown): unknown {
  if (value === undefined) throw new StepFailure(`Get "${path}" has no value`);
  return value;
}

async function join(argument: unknown, context: ResolutionContext): Promise<string> {
  const { On = '', Values } = argument as { On?: string; Values?: unknown[] };
  if (!Array.isArray(Values)) throw new StepFailure('Std:Join needs a list of Values');
  const texts: string[] = [];
  for (const value of Values) {
    const resolved = await resolve(value, context);
    texts.push(typeof resolved === 'object' ? JSON.stringify(resolved) : String(resolved));
  }
  return texts.join(On);
}

async function jsonGet(argument: unknown, context: ResolutionContext): Promise<unknown> {
  const { PropertyFile, Path } = argument as { PropertyFile?: { Get?: string }; Path?: string };
  const [, step, , dotted, quoted] =
    /^Steps\.([A-Za-z0-9\-_]+)\.PropertyFiles(\.([^[\]]+)|\['([^']+)'\])$/.exec(PropertyFile?.Get ?? '') ?? [];
  const name = dotted ?? quoted;
  if (step === undefined || name === undefined)
    throw new StepFailure('Std:JsonGet needs PropertyFile.Get of the form Steps.<step>.PropertyFiles.<name>');
  const parts = parsePath(Path ?? '');
  if (!parts) throw new StepFailure(`Std:JsonGet: "${Path}" is not a path`);
  const value = valueAt(await context.propertyFile(step, name), parts);
  if (value === undefined)
    throw new StepFailure(`Std:JsonGet: property file ${name} of step ${step} has nothing at ${Path}`);
  return value;
}
