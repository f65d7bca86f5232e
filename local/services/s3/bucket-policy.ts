/**
 * The one form of bucket policy statement that is enforced here: a Deny of s3:PutObject that asks how the write is
 * made (`s3:if-none-match`, `s3:ObjectCreationOperation`), so that create-only prefixes are create-only locally too.
 * Statements with other conditions are kept and not evaluated.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
 */
import { AwsError } from '../../gateway/service';

interface DenyPut {
  /** Of the object's ARN. */
  readonly resources: readonly RegExp[];
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly operator: 'Null' | 'Bool';
  readonly key: 's3:if-none-match' | 's3:objectcreationoperation';
  readonly value: 'true' | 'false';
}

export interface BucketPolicy {
  readonly denials: readonly DenyPut[];
}

export interface Write {
  readonly bucket: string;
  readonly key: string;
  readonly ifNoneMatch: string | undefined;
  /** False for CreateMultipartUpload and UploadPart, which need s3:PutObject and create no object. */
  readonly createsObject: boolean;
}

/** @throws AwsError MalformedPolicy */
export function parseBucketPolicy(body: string): BucketPolicy {
  let document: { Statement?: unknown };
  try {
    document = JSON.parse(body) as typeof document;
  } catch {
    throw new AwsError('MalformedPolicy', 'Policies must be valid JSON and the first byte must be "{"', 400);
  }
  if (typeof document !== 'object' || document === null || document.Statement === undefined) {
    throw new AwsError('MalformedPolicy', 'Missing required field Statement', 400);
  }
  return { denials: list(document.Statement).flatMap((statement) => readDenial(statement as Record<string, unknown>)) };
}

/** Whether a statement denies the write. */
export function denies(policy: BucketPolicy, write: Write): boolean {
  const arn = `arn:aws:s3:::${write.bucket}/${write.key}`;
  return policy.denials.some(
    ({ resources, conditions }) =>
      resources.some((resource) => resource.test(arn)) && conditions.every((condition) => holds(condition, write)),
  );
}

function holds({ operator, key, value }: Condition, write: Write): boolean {
  const actual = key === 's3:if-none-match' ? write.ifNoneMatch : String(write.createsObject);
  return operator === 'Null' ? (actual === undefined) === (value === 'true') : actual === value;
}

function readDenial(statement: Record<string, unknown>): readonly DenyPut[] {
  const actions = list(statement['Action']).map(String);
  if (statement['Effect'] !== 'Deny' || !actions.some((action) => wildcard(action, 'i').test('s3:PutObject')))
    return [];
  const conditions: Condition[] = [];
  for (const [operator, keys] of Object.entries(
    (statement['Condition'] ?? {}) as Record<string, Record<string, unknown>>,
  )) {
    for (const [name, value] of Object.entries(keys)) {
      const key = name.toLowerCase();
      const text = String(list(value)[0]).toLowerCase();
      const known = key === 's3:if-none-match' || key === 's3:objectcreationoperation';
      if (!known || (operator !== 'Null' && operator !== 'Bool') || (text !== 'true' && text !== 'false')) return [];
      conditions.push({ operator, key, value: text });
    }
  }
  if (!conditions.some(({ key }) => key === 's3:if-none-match')) return [];
  return [{ resources: list(statement['Resource']).map((resource) => wildcard(String(resource), '')), conditions }];
}

function list(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];
}

function wildcard(pattern: string, flags: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, `s${flags}`);
}
