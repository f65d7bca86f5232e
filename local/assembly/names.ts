/** Identifiers as AWS would make them up, but the same in every run, so that state stays with its resource. */
import { createHash } from 'node:crypto';

export const PARTITION = 'aws';
export const ACCOUNT_ID = '000000000000';
export const REGION = 'us-east-1';

/** Lower-case hex of the hash of all parts. */
export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

export interface NameRules {
  readonly maximumLength: number;
  /** S3 buckets and some others. */
  readonly lowerCase?: boolean;
}

/**
 * `<stack>-<logical id>-<hash>` as CloudFormation names what the template leaves unnamed. What does not fit is cut before
 * the hash, which covers the whole, so that long ids do not collide.
 */
export function physicalName(stack: string, logicalId: string, rules: NameRules): string {
  const hash = digest(stack, logicalId).slice(0, 12);
  const name = `${`${stack}-${logicalId}`.slice(0, rules.maximumLength - hash.length - 1)}-${hash.toUpperCase()}`;
  return rules.lowerCase === true ? name.toLowerCase() : name;
}

export function arn(service: string, resource: string, options: { region?: string; account?: string } = {}): string {
  const { region = REGION, account = ACCOUNT_ID } = options;
  return `arn:${PARTITION}:${service}:${region}:${account}:${resource}`;
}

/** A UUID of version 4's form, made of the parts' hash. */
export function uuidOf(...parts: readonly string[]): string {
  const hex = digest(...parts);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
