/** ExpressionAttributeNames and ExpressionAttributeValues of one request; remembers which were used. */
import { canonicalValue, invalid } from '../attribute-value';
import type { AttributeValue } from '../attribute-value';

type Members = Readonly<Record<string, unknown>>;

const NONE: ReadonlyMap<string, unknown> = new Map();

function readMap(input: Members, parameter: string, pattern: RegExp): ReadonlyMap<string, unknown> {
  const value = input[parameter];
  if (value === undefined || value === null) return NONE;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(`${parameter} must be a map`);
  const entries = Object.entries(value);
  if (entries.length === 0) throw invalid(`${parameter} must not be empty`);
  for (const [key] of entries) {
    if (!pattern.test(key)) throw invalid(`${parameter} contains invalid key: Syntax error; key: "${key}"`);
  }
  return new Map(entries);
}

export class Placeholders {
  private readonly names: ReadonlyMap<string, unknown>;
  private readonly values = new Map<string, AttributeValue>();
  private readonly used = new Set<string>();

  /** @throws AwsError ValidationException */
  constructor(input: Members) {
    this.names = readMap(input, 'ExpressionAttributeNames', /^#[A-Za-z0-9_]+$/);
    for (const [name, attribute] of this.names) {
      if (typeof attribute !== 'string' || attribute === '') {
        throw invalid(`ExpressionAttributeNames contains invalid value: the value of key ${name} is no attribute name`);
      }
    }
    for (const [key, value] of readMap(input, 'ExpressionAttributeValues', /^:[A-Za-z0-9_]+$/)) {
      try {
        this.values.set(key, canonicalValue(value));
      } catch (error) {
        throw invalid(`ExpressionAttributeValues contains invalid value: ${(error as Error).message} for key ${key}`);
      }
    }
  }

  /** @throws AwsError ValidationException; `parameter` is the expression's name in the request. */
  name(parameter: string, placeholder: string): string {
    const name = this.names.get(placeholder);
    if (name === undefined) {
      throw invalid(
        `Invalid ${parameter}: An expression attribute name used in the document path is not defined; attribute name: ${placeholder}`,
      );
    }
    this.used.add(placeholder);
    return name as string;
  }

  /** @throws AwsError ValidationException */
  value(parameter: string, placeholder: string): AttributeValue {
    const value = this.values.get(placeholder);
    if (value === undefined) {
      throw invalid(
        `Invalid ${parameter}: An expression attribute value used in expression is not defined; attribute value: ${placeholder}`,
      );
    }
    this.used.add(placeholder);
    return value;
  }

  /** Call after the last expression was parsed. @throws AwsError ValidationException */
  refuseUnused(hasExpressions: boolean): void {
    for (const [parameter, map] of [
      ['ExpressionAttributeNames', this.names],
      ['ExpressionAttributeValues', this.values],
    ] as const) {
      const unused: string[] = [];
      for (const key of map.keys()) if (!this.used.has(key)) unused.push(key);
      if (unused.length === 0) continue;
      throw invalid(
        hasExpressions
          ? `Value provided in ${parameter} unused in expressions: keys: {${unused.join(', ')}}`
          : `${parameter} can only be specified when using expressions`,
      );
    }
  }
}
