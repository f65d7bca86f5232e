/**
 * CloudFormation's intrinsic functions and pseudo parameters, resolved against what is already provisioned.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
 */
import type { Template, TemplateResource } from './assembly';
import { cidrBlocks } from './cidr';
import { ACCOUNT_ID, PARTITION, REGION, uuidOf } from './names';

/** What a resolved template refers to outside of itself and of its text. */
export interface Lookups {
  /** Value of `Ref` for a provisioned resource; undefined where there is none. */
  ref(logicalId: string): unknown;
  /** @throws Error for an attribute that the resource does not have. */
  attribute(logicalId: string, attribute: string): unknown;
  importValue(exportName: string): string | undefined;
  stackOutput(stack: string, output: string): string | undefined;
}

const NO_VALUE = Symbol('AWS::NoValue');
const AVAILABILITY_ZONES = ['a', 'b', 'c'].map((zone) => `${REGION}${zone}`);

type Intrinsic = (argument: unknown, path: string) => unknown;

export class Resolver {
  private readonly conditions = new Map<string, boolean>();
  private readonly intrinsics: Readonly<Record<string, Intrinsic>> = {
    Ref: (argument, path) => this.ref(this.text(argument, path), path),
    'Fn::GetAtt': (argument, path) => this.getAtt(argument, path),
    'Fn::Join': (argument, path) => this.join(argument, path),
    'Fn::Sub': (argument, path) => this.sub(argument, path),
    'Fn::Select': (argument, path) => this.select(argument, path),
    'Fn::Split': (argument, path) => this.split(argument, path),
    'Fn::GetAZs': () => [...AVAILABILITY_ZONES],
    'Fn::If': (argument, path) => this.choose(argument, path),
    'Fn::FindInMap': (argument, path) => this.findInMap(argument, path),
    'Fn::Base64': (argument, path) => Buffer.from(this.text(this.resolve(argument, path), path)).toString('base64'),
    'Fn::Cidr': (argument, path) => this.cidr(argument, path),
    'Fn::ImportValue': (argument, path) => this.importValue(argument, path),
    'Fn::GetStackOutput': (argument, path) => this.stackOutput(argument, path),
  };

  constructor(
    private readonly stack: string,
    private readonly template: Template,
    private readonly lookups: Lookups,
  ) {}

  /**
   * The value with every intrinsic function replaced; members that are AWS::NoValue are left out.
   * @param path where the value stands, such as `LeaseTable.Properties`; errors name it after the stack.
   * @throws Error that names the stack, the path and the function.
   */
  resolve(value: unknown, path: string): unknown {
    const resolved = this.value(value, path);
    return resolved === NO_VALUE ? undefined : resolved;
  }

  /** A condition of the template's section, by name. */
  condition(name: string, path: string): boolean {
    const known = this.conditions.get(name);
    if (known !== undefined) return known;
    const definition = this.template.Conditions?.[name];
    if (definition === undefined) this.fail(path, `there is no condition ${name}`);
    const holds = this.test(definition, `Conditions.${name}`);
    this.conditions.set(name, holds);
    return holds;
  }

  private value(value: unknown, path: string): unknown {
    if (Array.isArray(value)) {
      return value.map((item, index) => this.value(item, `${path}[${index}]`)).filter((item) => item !== NO_VALUE);
    }
    if (typeof value !== 'object' || value === null) return value;
    const keys = Object.keys(value);
    const name = keys[0];
    if (keys.length === 1 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'))) {
      const intrinsic = this.intrinsics[name] ?? this.fail(path, `${name} is not known to the local run`);
      return intrinsic((value as Record<string, unknown>)[name], path);
    }
    const result: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value)) {
      const resolved = this.value(member, `${path}.${key}`);
      if (resolved !== NO_VALUE) result[key] = resolved;
    }
    return result;
  }

  private ref(name: string, path: string): unknown {
    switch (name) {
      case 'AWS::AccountId':
        return ACCOUNT_ID;
      case 'AWS::Region':
        return REGION;
      case 'AWS::Partition':
        return PARTITION;
      case 'AWS::URLSuffix':
        return 'amazonaws.com';
      case 'AWS::StackName':
        return this.stack;
      case 'AWS::StackId':
        return `arn:${PARTITION}:cloudformation:${REGION}:${ACCOUNT_ID}:stack/${this.stack}/${uuidOf('stack', this.stack)}`;
      case 'AWS::NotificationARNs':
        return [];
      case 'AWS::NoValue':
        return NO_VALUE;
      default: {
        const parameter = this.template.Parameters?.[name];
        if (parameter !== undefined) return this.parameter(name, parameter, path);
        const value = this.lookups.ref(name);
        return (
          value ??
          this.fail(path, `Ref of ${name}: there is no such resource or parameter, or it is not provisioned yet`)
        );
      }
    }
  }

  private parameter(name: string, parameter: { Type: string; Default?: unknown }, path: string): unknown {
    if (parameter.Default === undefined)
      this.fail(path, `parameter ${name} has no default, and the local run passes none`);
    if (parameter.Type.startsWith('List<') || parameter.Type === 'CommaDelimitedList') {
      return String(parameter.Default)
        .split(',')
        .map((item) => item.trim());
    }
    return parameter.Default;
  }

  private getAtt(argument: unknown, path: string): unknown {
    const [logicalId, attribute] = splitGetAtt(argument) ?? this.fail(path, 'Fn::GetAtt wants [logical id, attribute]');
    try {
      return this.lookups.attribute(logicalId, this.text(this.resolve(attribute, path), path));
    } catch (error) {
      return this.fail(path, (error as Error).message);
    }
  }

  private join(argument: unknown, path: string): string {
    const [delimiter, list] = this.list(argument, path, 'Fn::Join', 2);
    const items = this.resolve(list, path);
    if (!Array.isArray(items)) return this.fail(path, 'Fn::Join wants a list to join');
    return items.map((item) => this.text(item, path)).join(this.text(delimiter, path));
  }

  private sub(argument: unknown, path: string): string {
    const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
    const values = this.value(variables, path) as Record<string, unknown>;
    return this.text(template, path).replace(SUBSTITUTION, (_match, name: string) => {
      if (name.startsWith('!')) return `\${${name.slice(1)}}`;
      if (Object.hasOwn(values, name)) return this.text(values[name], path);
      const dot = name.indexOf('.');
      if (dot === -1) return this.text(this.ref(name, path), path);
      return this.text(this.getAtt([name.slice(0, dot), name.slice(dot + 1)], path), path);
    });
  }

  private select(argument: unknown, path: string): unknown {
    const [index, list] = this.list(argument, path, 'Fn::Select', 2);
    const items = this.resolve(list, path);
    if (!Array.isArray(items)) return this.fail(path, 'Fn::Select wants a list to select from');
    return (
      items[Number(this.resolve(index, path))] ??
      this.fail(path, `Fn::Select: no item ${String(index)} of ${items.length}`)
    );
  }

  private split(argument: unknown, path: string): string[] {
    const [delimiter, source] = this.list(argument, path, 'Fn::Split', 2);
    return this.text(this.resolve(source, path), path).split(this.text(delimiter, path));
  }

  private choose(argument: unknown, path: string): unknown {
    const [condition, whenTrue, whenFalse] = this.list(argument, path, 'Fn::If', 3);
    return this.value(this.condition(this.text(condition, path), path) ? whenTrue : whenFalse, path);
  }

  private findInMap(argument: unknown, path: string): unknown {
    const [map, first, second] = this.list(argument, path, 'Fn::FindInMap', 3).map((key) =>
      this.text(this.resolve(key, path), path),
    );
    const value = this.template.Mappings?.[map!]?.[first!]?.[second!];
    return value ?? this.fail(path, `Fn::FindInMap: no value at ${map}.${first}.${second}`);
  }

  private cidr(argument: unknown, path: string): string[] {
    const [block, count, bits] = this.list(argument, path, 'Fn::Cidr', 3).map((item) => this.resolve(item, path));
    try {
      return cidrBlocks(this.text(block, path), Number(count), Number(bits));
    } catch (error) {
      return this.fail(path, `Fn::Cidr: ${(error as Error).message}`);
    }
  }

  private importValue(argument: unknown, path: string): string {
    const name = this.text(this.resolve(argument, path), path);
    return (
      this.lookups.importValue(name) ?? this.fail(path, `Fn::ImportValue: no stack before this one exports ${name}`)
    );
  }

  private stackOutput(argument: unknown, path: string): string {
    const { StackName, OutputName } = this.value(argument, path) as Record<string, string>;
    return (
      this.lookups.stackOutput(StackName!, OutputName!) ??
      this.fail(path, `Fn::GetStackOutput: stack ${StackName} has no output ${OutputName}, or comes later`)
    );
  }

  /** Fn::Equals, Fn::And, Fn::Or, Fn::Not and Condition, which stand only here. */
  private test(expression: unknown, path: string): boolean {
    const [name, argument] = Object.entries((expression ?? {}) as object)[0] ?? [];
    switch (name) {
      case 'Condition':
        return this.condition(this.text(argument, path), path);
      case 'Fn::Equals': {
        const [left, right] = this.list(argument, path, name, 2).map((side) => this.resolve(side, path));
        return String(left) === String(right);
      }
      case 'Fn::Not':
        return !this.test(this.list(argument, path, name, 1)[0], path);
      case 'Fn::And':
        return this.list(argument, path, name).every((item) => this.test(item, path));
      case 'Fn::Or':
        return this.list(argument, path, name).some((item) => this.test(item, path));
      default:
        return this.fail(path, `${name ?? 'nothing'} is no condition function`);
    }
  }

  private list(argument: unknown, path: string, name: string, length?: number): unknown[] {
    if (Array.isArray(argument) && (length === undefined || argument.length === length)) return argument;
    return this.fail(path, `${name} wants a list${length === undefined ? '' : ` of ${length}`}`);
  }

  private text(value: unknown, path: string): string {
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
    return this.fail(path, `a string is wanted here, the value is ${kind}`);
  }

  private fail(path: string, problem: string): never {
    throw new Error(`stack ${this.stack}: ${path}: ${problem}`);
  }
}

/** Replaced in a single pass, so that what a substitution brings in is not substituted again. */
const SUBSTITUTION = /\$\{([^}]*)\}/g;

function splitGetAtt(argument: unknown): [string, unknown] | undefined {
  if (Array.isArray(argument) && argument.length === 2 && typeof argument[0] === 'string')
    return [argument[0], argument[1]];
  if (typeof argument !== 'string') return undefined;
  const dot = argument.indexOf('.');
  return dot === -1 ? undefined : [argument.slice(0, dot), argument.slice(dot + 1)];
}

/** Logical ids that the resource refers to or names in DependsOn: it is provisioned after them. */
export function dependenciesOf(resource: TemplateResource): Set<string> {
  const found = new Set<string>([resource.DependsOn ?? []].flat());
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === 'Ref' && typeof member === 'string') found.add(member);
      const target = key === 'Fn::GetAtt' ? splitGetAtt(member) : undefined;
      if (target !== undefined) found.add(target[0]);
      const template = key === 'Fn::Sub' ? [member].flat()[0] : undefined;
      if (typeof template === 'string') {
        for (const [, name] of template.matchAll(SUBSTITUTION)) found.add(name!.split('.')[0]!);
      }
      walk(member);
    }
  };
  walk(resource.Properties);
  return found;
}
