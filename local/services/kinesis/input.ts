/** Reads members of a request and refuses what the service's model does not allow, in the service's terms. */
import { AwsError } from '../../gateway/service';

export type Input = Readonly<Record<string, unknown>>;

function refuse(name: string, value: unknown, constraint: string): AwsError {
  const shown = typeof value === 'string' ? `'${value.slice(0, 200)}'` : value === undefined ? 'null' : String(value);
  const member = name.charAt(0).toLowerCase() + name.slice(1);
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}

function wrongType(name: string, expected: string): AwsError {
  return new AwsError('SerializationException', `${name} must be ${expected}`);
}

export interface StringRule {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  readonly values?: readonly string[];
}

/** @throws AwsError ValidationException, SerializationException */
export function optionalString(input: Input, name: string, rule: StringRule = {}): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw wrongType(name, 'a string');
  const { min = 0, max = Infinity, pattern, values } = rule;
  if (values !== undefined && !values.includes(value)) {
    throw refuse(name, value, `Member must satisfy enum value set: [${values.join(', ')}]`);
  }
  if (value.length < min) throw refuse(name, value, `Member must have length greater than or equal to ${min}`);
  if (value.length > max) throw refuse(name, value, `Member must have length less than or equal to ${max}`);
  if (pattern !== undefined && !pattern.test(value)) {
    throw refuse(name, value, `Member must satisfy regular expression pattern: ${pattern.source}`);
  }
  return value;
}

/** @throws AwsError ValidationException, SerializationException */
export function requiredString(input: Input, name: string, rule: StringRule = {}): string {
  const value = optionalString(input, name, rule);
  if (value === undefined) throw refuse(name, undefined, 'Member must not be null');
  return value;
}

/** @throws AwsError ValidationException, SerializationException */
export function optionalInteger(input: Input, name: string, min: number, max: number): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(name, 'an integer');
  if (value < min) throw refuse(name, value, `Member must have value greater than or equal to ${min}`);
  if (value > max) throw refuse(name, value, `Member must have value less than or equal to ${max}`);
  return value;
}

/** @throws AwsError ValidationException, SerializationException */
export function requiredInteger(input: Input, name: string, min: number, max: number): number {
  const value = optionalInteger(input, name, min, max);
  if (value === undefined) throw refuse(name, undefined, 'Member must not be null');
  return value;
}

/** Wire timestamps are epoch seconds; the result is epoch milliseconds. */
export function optionalTimestamp(input: Input, name: string): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw wrongType(name, 'a timestamp in epoch seconds');
  return Math.round(value * 1_000);
}

/** @throws AwsError ValidationException, SerializationException */
export function requiredList(input: Input, name: string, min: number, max: number): unknown[] {
  const value = input[name];
  if (value === undefined || value === null) throw refuse(name, undefined, 'Member must not be null');
  if (!Array.isArray(value)) throw wrongType(name, 'a list');
  if (value.length < min)
    throw refuse(name, `${value.length} members`, `Member must have length greater than or equal to ${min}`);
  if (value.length > max)
    throw refuse(name, `${value.length} members`, `Member must have length less than or equal to ${max}`);
  return value as unknown[];
}

/** A structure inside a request. @throws AwsError SerializationException */
export function structure(value: unknown, name: string): Input {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(name, 'a structure');
  return value as Input;
}

export function invalidArgument(message: string): AwsError {
  return new AwsError('InvalidArgumentException', message);
}
