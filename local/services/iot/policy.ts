/**
 * AWS IoT Core policies: statements with wildcards, thing and certificate policy variables, and conditions.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-variables.html
 */
import { AwsError } from '../../gateway/service';

export interface PolicyStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** Values of policy variables and condition keys; what is undefined does not resolve. */
export type PolicyContext = Readonly<Record<string, string | undefined>>;

export interface PolicyRequest {
  /** `iot:Connect`, `iot:Publish`, `iot:RetainPublish`, `iot:Subscribe` or `iot:Receive` */
  readonly action: string;
  readonly resource: string;
  readonly context: PolicyContext;
}

const OPERATORS: Readonly<Record<string, (actual: string, expected: string) => boolean>> = {
  bool: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  stringequals: (actual, expected) => actual === expected,
  stringnotequals: (actual, expected) => actual !== expected,
  stringequalsignorecase: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  stringlike: (actual, expected) => wildcard(expected).test(actual),
  stringnotlike: (actual, expected) => !wildcard(expected).test(actual),
};
/** Operators where every value must hold, not one of them. */
const NEGATED = /^stringnot/;

const VARIABLE = /\$\{([^}]*)\}/g;
const KNOWN_VARIABLES =
  /^(iot:ClientId|iot:Connection\.Thing\.(ThingName|ThingTypeName|IsAttached|Attributes\[[^\]]+\])|iot:CertificateId|aws:SourceIp|\*|\?|\$)$/;

/** @throws AwsError MalformedPolicyException */
export function parsePolicy(document: string): readonly PolicyStatement[] {
  let policy: { Version?: unknown; Statement?: unknown };
  try {
    policy = JSON.parse(document) as typeof policy;
  } catch {
    throw malformed('the document is no JSON');
  }
  if (typeof policy !== 'object' || policy === null || policy.Statement === undefined)
    throw malformed('it has no Statement');
  if (policy.Version !== '2012-10-17') throw malformed('Version must be 2012-10-17');
  return list(policy.Statement).map((statement) => parseStatement(statement as Record<string, unknown>));
}

/** An explicit Deny wins; without any Allow the answer is no. */
export function isAllowed(statements: readonly PolicyStatement[], request: PolicyRequest): boolean {
  const applying = statements.filter((statement) => applies(statement, request));
  return applying.length > 0 && applying.every(({ effect }) => effect === 'Allow');
}

function applies(
  { actions, resources, conditions }: PolicyStatement,
  { action, resource, context }: PolicyRequest,
): boolean {
  return (
    actions.some((pattern) => wildcard(pattern, 'i').test(action)) &&
    resources.some((pattern) => resolve(pattern, context)?.test(resource) === true) &&
    conditions.every((condition) => holds(condition, context))
  );
}

function holds({ operator, key, values }: Condition, context: PolicyContext): boolean {
  const optional = operator.endsWith('ifexists');
  const compare = OPERATORS[operator.replace(/ifexists$/, '')]!;
  const actual = context[key];
  if (actual === undefined) return optional;
  const expected = values.map((value) => value.replace(VARIABLE, (_whole, name: string) => context[name] ?? ''));
  return NEGATED.test(operator)
    ? expected.every((value) => compare(actual, value))
    : expected.some((value) => compare(actual, value));
}

/** The pattern with its variables' values, which stand for themselves. Undefined where one does not resolve. */
function resolve(pattern: string, context: PolicyContext): RegExp | undefined {
  let source = '';
  let at = 0;
  for (const match of pattern.matchAll(VARIABLE)) {
    const variable = match[1]!;
    const value = /^[*?$]$/.test(variable) ? variable : context[variable];
    if (value === undefined) return undefined;
    source += wildcardSource(pattern.slice(at, match.index)) + escape(value);
    at = match.index + match[0].length;
  }
  return new RegExp(`^${source}${wildcardSource(pattern.slice(at))}$`, 's');
}

function parseStatement(statement: Record<string, unknown>): PolicyStatement {
  const effect = statement['Effect'];
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Effect must be Allow or Deny');
  const strange = Object.keys(statement).find(
    (name) => !['Sid', 'Effect', 'Action', 'Resource', 'Condition'].includes(name),
  );
  if (strange !== undefined) throw malformed(`a statement has the member ${strange}, which is not evaluated`);
  const actions = texts(statement, 'Action');
  const resources = texts(statement, 'Resource');
  const conditions = Object.entries((statement['Condition'] ?? {}) as Record<string, Record<string, unknown>>).flatMap(
    ([operator, keys]) =>
      Object.entries(keys).map(([key, value]) => ({
        operator: operator.toLowerCase(),
        key,
        values: list(value).map(String),
      })),
  );
  for (const { operator } of conditions) {
    if (!Object.hasOwn(OPERATORS, operator.replace(/ifexists$/, ''))) {
      throw malformed(
        `the condition operator ${operator} is not evaluated here; operators are ${Object.keys(OPERATORS).join(', ')}`,
      );
    }
  }
  for (const text of [...resources, ...conditions.flatMap(({ values, key }) => [...values, `\${${key}}`])]) {
    for (const [, variable] of text.matchAll(VARIABLE)) {
      if (!KNOWN_VARIABLES.test(variable!))
        throw malformed(`the policy variable or condition key ${variable} is not evaluated here`);
    }
  }
  return { effect, actions, resources, conditions };
}

function texts(statement: Record<string, unknown>, member: 'Action' | 'Resource'): string[] {
  const values = list(statement[member]);
  if (values.length === 0 || values.some((value) => typeof value !== 'string'))
    throw malformed(`${member} must be one or more strings`);
  return values as string[];
}

function list(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];
}

function malformed(detail: string): AwsError {
  return new AwsError('MalformedPolicyException', `Policy document is malformed: ${detail}`, 400);
}

function wildcard(pattern: string, flags = ''): RegExp {
  return new RegExp(`^${wildcardSource(pattern)}$`, `s${flags}`);
}

function wildcardSource(pattern: string): string {
  return escape(pattern).replaceAll('\\*', '.*').replaceAll('\\?', '.');
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
