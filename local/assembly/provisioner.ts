/** What turns a template's resource into one that exists here. */
import type { ServiceCalls } from './service-calls';

/** A resource of a template, with every intrinsic function resolved. */
export interface ResourceRequest {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  /** CloudFormation's shapes. */
  readonly properties: Properties;
  /** The properties that the last run provisioned, where there was one. */
  readonly previous?: Properties;
}

export type Properties = Readonly<Record<string, unknown>>;

export interface Provisioned {
  /** Value of `Ref`. */
  readonly physicalId: string;
  /** Values of `Fn::GetAtt`. */
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Creates the resource, or makes the existing one what the template says; what it stores stays. */
export type Provisioner = (resource: ResourceRequest, calls: ServiceCalls) => Promise<Provisioned>;

/** @throws Error that names the property */
export function requireText(properties: Properties, name: string): string {
  const value = optionalText(properties, name);
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

export function optionalText(properties: Properties, name: string): string | undefined {
  const value = properties[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object') throw new Error(`${name} must be a string`);
  return String(value);
}

/** Templates hold numbers as numbers or as strings. */
export function optionalNumber(properties: Properties, name: string): number | undefined {
  const value = optionalText(properties, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === '' || Number.isNaN(number)) throw new Error(`${name} must be a number`);
  return number;
}

export function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}

export function optionalObject(properties: Properties, name: string): Properties | undefined {
  const value = properties[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`${name} must be an object`);
  return value as Properties;
}

export function listOf(properties: Properties, name: string): Properties[] {
  const value = properties[name] ?? [];
  if (!Array.isArray(value)) throw new Error(`${name} must be a list`);
  return value as Properties[];
}

/** Only the members named, only where they are there. */
export function pick(properties: Properties, ...names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name]]),
  );
}

/** CloudFormation writes `StreamName` where the ECS and IoT APIs write `streamName`. */
export function lowerCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerCamelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.charAt(0).toLowerCase() + key.slice(1), lowerCamelCase(member)]),
  );
}
