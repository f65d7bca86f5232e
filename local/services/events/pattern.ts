/**
 * EventBridge event patterns: every operator of the documentation. A pattern is compiled once and then matched against
 * events.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
import { AwsError } from '../../gateway/service';
import { compileOperator } from './pattern-operators';
import type { Matcher } from './pattern-operators';

export type EventMatcher = (event: Readonly<Record<string, unknown>>) => boolean;

/**
 * @param pattern the pattern, as JSON text or as the object
 * @throws AwsError `InvalidEventPatternException` that names the path at fault
 */
export function compilePattern(pattern: unknown): EventMatcher {
  let parsed = pattern;
  if (typeof pattern === 'string') {
    try {
      parsed = JSON.parse(pattern);
    } catch {
      throw invalid('', 'it is not JSON');
    }
  }
  if (!isObject(parsed)) throw invalid('', 'it is not a JSON object');
  const matches = compileObject(parsed, '');
  return (event) => matches(event);
}

type NodeMatcher = (value: unknown) => boolean;

function compileObject(pattern: Readonly<Record<string, unknown>>, path: string): NodeMatcher {
  const members = Object.entries(pattern);
  if (members.length === 0) throw invalid(path, 'an empty object matches nothing');
  const tests = members.map(([key, wanted]): NodeMatcher => {
    const memberPath = path === '' ? key : `${path}.${key}`;
    if (key === '$or') return compileOr(wanted, memberPath);
    const member = compileMember(wanted, memberPath);
    return (value) => member(isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined);
  });
  const all: NodeMatcher = (value) => tests.every((test) => test(value));
  // Of an array of objects, one element has to match the whole object pattern.
  return (value) => (Array.isArray(value) ? value.some(all) : all(value));
}

function compileOr(wanted: unknown, path: string): NodeMatcher {
  if (!Array.isArray(wanted) || wanted.length < 2 || !wanted.every(isObject)) {
    throw invalid(path, '$or wants a list of at least two patterns');
  }
  const branches = wanted.map((branch, index) => compileObject(branch, `${path}[${index}]`));
  return (value) => branches.some((branch) => branch(value));
}

function compileMember(wanted: unknown, path: string): NodeMatcher {
  if (isObject(wanted)) return compileObject(wanted, path);
  if (!Array.isArray(wanted)) throw invalid(path, 'values stand in a list, such as ["value"]');
  if (wanted.length === 0) throw invalid(path, 'an empty list matches nothing');
  const matchers = wanted.map((item): Matcher => compileItem(item, path));
  return (value) => {
    const present = value !== undefined && !isObject(value);
    const leaves: readonly unknown[] = Array.isArray(value)
      ? value.filter((leaf) => !isObject(leaf))
      : present
        ? [value]
        : [];
    return matchers.some((matcher) =>
      'present' in matcher ? matcher.present === leaves.length > 0 : leaves.some((leaf) => matcher.matches(leaf)),
    );
  };
}

function compileItem(item: unknown, path: string): Matcher {
  if (Array.isArray(item)) throw invalid(path, 'a list inside the list of values');
  if (!isObject(item)) return { matches: (leaf) => leaf === item };
  const [name, ...more] = Object.keys(item);
  if (name === undefined || more.length > 0) throw invalid(path, 'an operator is an object with one key');
  try {
    return compileOperator(name, item[name]);
  } catch (error) {
    throw invalid(path, (error as Error).message);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, problem: string): AwsError {
  return new AwsError(
    'InvalidEventPatternException',
    `Event pattern is not valid${path === '' ? '' : ` at ${path}`}: ${problem}`,
  );
}
