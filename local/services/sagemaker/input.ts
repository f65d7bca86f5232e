/** Reading of wire-shaped request members, with SageMaker's ValidationException for what does not fit. */
import { AwsError } from '../../gateway/service';

export type Input = Readonly<Record<string, unknown>>;

export function validation(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

export function notFound(message: string): AwsError {
  return new AwsError('ResourceNotFound', message);
}

interface TextRule {
  readonly pattern?: RegExp;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly oneOf?: readonly string[];
}

/** @throws AwsError ValidationException where the member is there and breaks the rule. */
export function optionalText(input: Input, member: string, rule: TextRule = {}): string | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw validation(`${member} must be a string, not ${kindOf(value)}`);
  const { minimum = 0, maximum = Infinity } = rule;
  if (value.length < minimum || value.length > maximum) {
    throw validation(`${member} has ${value.length} characters; ${minimum} to ${maximum} are allowed`);
  }
  if (rule.pattern && !rule.pattern.test(value)) throw validation(`${member} must match ${rule.pattern.source}`);
  if (rule.oneOf && !rule.oneOf.includes(value)) throw validation(`${member} must be one of ${rule.oneOf.join(', ')}`);
  return value;
}

export function requiredText(input: Input, member: string, rule: TextRule = {}): string {
  const value = optionalText(input, member, rule);
  if (value === undefined) throw validation(`${member} is required`);
  return value;
}

export function optionalNumber(input: Input, member: string, minimum: number, maximum: number): number | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw validation(`${member} must be a whole number from ${minimum} to ${maximum}`);
  }
  return value;
}

/** Epoch seconds on the wire → epoch milliseconds. */
export function optionalTime(input: Input, member: string): number | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number') throw validation(`${member} must be a timestamp`);
  return value * 1000;
}

export function optionalObject(input: Input, member: string): Input | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value))
    throw validation(`${member} must be a structure, not ${kindOf(value)}`);
  return value as Input;
}

export function optionalList(input: Input, member: string): readonly unknown[] | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw validation(`${member} must be a list, not ${kindOf(value)}`);
  return value as readonly unknown[];
}

export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value;
}

/** Epoch milliseconds → epoch seconds on the wire. */
export function wireTime(time: number | undefined): number | undefined {
  return time === undefined ? undefined : time / 1000;
}
