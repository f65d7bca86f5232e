import { AwsError } from '../../../gateway/service';
import type { Clock } from '../../../gateway/service';
import type { CertificateAuthority } from '../authority';
import type { Registry } from '../registry';
import type { RulesEngine } from '../rules/rules-engine';

export interface ControlPlane {
  readonly registry: Registry;
  readonly rules: RulesEngine;
  readonly authority: CertificateAuthority;
  readonly clock: Clock;
  /** `host:port` of the broker. */
  readonly dataEndpoint: () => string;
}

export type Input = Readonly<Record<string, unknown>>;

/** Members are named as in the API; timestamps are epoch seconds. */
export type Operation = (input: Input, plane: ControlPlane) => Promise<Record<string, unknown>>;

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

export function arnOf(kind: string, name: string): string {
  return `arn:aws:iot:${REGION}:${ACCOUNT}:${kind}/${name}`;
}

/** @throws AwsError InvalidRequestException */
export function text(input: Input, member: string): string {
  const value = input[member];
  if (typeof value === 'string' && value !== '') return value;
  throw new AwsError('InvalidRequestException', `${member} must be a non-empty string`, 400);
}

const NAME = /^[a-zA-Z0-9:_-]{1,128}$/;

/** A thing's, type's or group's name. @throws AwsError InvalidRequestException */
export function nameOf(input: Input, member: string): string {
  const name = text(input, member);
  if (NAME.test(name)) return name;
  throw new AwsError(
    'InvalidRequestException',
    `${member} ${JSON.stringify(name.slice(0, 140))} must match ${NAME.source}`,
    400,
  );
}

export function found<Value>(value: Value | undefined, what: string, name: string): Value {
  if (value === undefined) throw new AwsError('ResourceNotFoundException', `${what} ${name} does not exist`, 404);
  return value;
}

export function exists(what: string, name: string): AwsError {
  return new AwsError('ResourceAlreadyExistsException', `${what} ${name} already exists with other settings`, 409);
}

export function seconds(ms: number): number {
  return ms / 1_000;
}

/** Whether the query or body member says true. */
export function flag(input: Input, member: string): boolean {
  return input[member] === true || input[member] === 'true';
}

/** One page, from where the token says. `size` limits as the API's maxResults or pageSize does. */
export function page<Item>(
  items: readonly Item[],
  token: unknown,
  size: unknown,
): { readonly items: readonly Item[]; readonly next?: string } {
  const from = token === undefined ? 0 : Number(token);
  if (!Number.isInteger(from) || from < 0)
    throw new AwsError('InvalidRequestException', 'The token was given out by no listing', 400);
  const count = Math.min(250, Math.max(1, Number(size ?? 250)));
  const to = from + count;
  return { items: items.slice(from, to), ...(to < items.length && { next: String(to) }) };
}
