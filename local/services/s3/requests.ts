/** What an S3 request asks for: its bucket, key and operation. */
import { AwsError } from '../../gateway/service';
import type { HttpRequest } from '../../gateway/service';
import type { BucketSetting } from './store';

export interface Target {
  /** '' for ListBuckets. */
  readonly bucket: string;
  /** '' for operations on a bucket. */
  readonly key: string;
}

/** Path style, or virtual-host style where the host is `<bucket>.s3…` or `<bucket>.localhost`. */
export function readTarget(request: HttpRequest): Target {
  const host = request.headers['host'] ?? '';
  const virtual = /^(.+?)\.(?:s3(?:[.-][^:]*)?|localhost)(?::\d+)?$/.exec(host)?.[1];
  const path = request.path.startsWith('/') ? request.path.slice(1) : request.path;
  if (virtual !== undefined && virtual !== 's3') return { bucket: virtual, key: decodeKey(path) };
  const slash = path.indexOf('/');
  if (slash === -1) return { bucket: decodeKey(path), key: '' };
  return { bucket: decodeKey(path.slice(0, slash)), key: decodeKey(path.slice(slash + 1)) };
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError('InvalidURI', "Couldn't parse the specified URI.", 400);
  }
}

/** Subresources that S3 keeps as documents: what it answers where there is none. */
export interface SettingRule {
  /** Operation names are `Put…`, `Get…` and `Delete…` with this. */
  readonly operation: string;
  /** Root element of the document, or undefined for the policy, which is JSON. */
  readonly root?: string;
  /** Answer where nothing was set: an error, or a document with these children. */
  readonly absent: AwsError | Readonly<Record<string, unknown>>;
}

export const SETTINGS: Readonly<Record<BucketSetting, SettingRule>> = {
  versioning: { operation: 'BucketVersioning', root: 'VersioningConfiguration', absent: {} },
  notification: { operation: 'BucketNotificationConfiguration', root: 'NotificationConfiguration', absent: {} },
  policy: {
    operation: 'BucketPolicy',
    absent: new AwsError('NoSuchBucketPolicy', 'The bucket policy does not exist', 404),
  },
  encryption: {
    operation: 'BucketEncryption',
    root: 'ServerSideEncryptionConfiguration',
    absent: { Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false } },
  },
  publicAccessBlock: {
    operation: 'PublicAccessBlock',
    root: 'PublicAccessBlockConfiguration',
    absent: new AwsError(
      'NoSuchPublicAccessBlockConfiguration',
      'The public access block configuration was not found',
      404,
    ),
  },
  tagging: {
    operation: 'BucketTagging',
    root: 'Tagging',
    absent: new AwsError('NoSuchTagSet', 'The TagSet does not exist', 404),
  },
  lifecycle: {
    operation: 'BucketLifecycleConfiguration',
    root: 'LifecycleConfiguration',
    absent: new AwsError('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist', 404),
  },
  logging: { operation: 'BucketLogging', root: 'BucketLoggingStatus', absent: {} },
  ownershipControls: {
    operation: 'BucketOwnershipControls',
    root: 'OwnershipControls',
    absent: new AwsError('OwnershipControlsNotFoundError', 'The bucket ownership controls were not found', 404),
  },
  cors: {
    operation: 'BucketCors',
    root: 'CORSConfiguration',
    absent: new AwsError('NoSuchCORSConfiguration', 'The CORS configuration does not exist', 404),
  },
};

/** Query names that no operation here has; a request with one must not pass for a plain one. */
const UNSUPPORTED = [
  'acl',
  'versions',
  'object-lock',
  'retention',
  'legal-hold',
  'torrent',
  'restore',
  'select',
  'replication',
  'website',
];

/** The operation's API name; also what the request log and IAM speak of. */
export function readOperation({ method, query, headers }: HttpRequest, { bucket, key }: Target): string {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : unsupported(method, 'the service');
  const strange = UNSUPPORTED.find((name) => query.has(name));
  if (strange !== undefined) return unsupported(method, `?${strange}`);
  return key === '' ? bucketOperation(method, query) : objectOperation(method, query, headers);
}

export function settingOf(query: URLSearchParams): BucketSetting | undefined {
  return (Object.keys(SETTINGS) as BucketSetting[]).find((setting) => query.has(setting));
}

function bucketOperation(method: string, query: URLSearchParams): string {
  const setting = settingOf(query);
  if (setting !== undefined) {
    const verb = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' }[method];
    return verb === undefined ? unsupported(method, `?${setting}`) : `${verb}${SETTINGS[setting].operation}`;
  }
  if (method === 'GET') {
    if (query.has('location')) return 'GetBucketLocation';
    if (query.has('uploads')) return 'ListMultipartUploads';
    return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
  }
  if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
  return { PUT: 'CreateBucket', HEAD: 'HeadBucket', DELETE: 'DeleteBucket' }[method] ?? unsupported(method, 'a bucket');
}

function objectOperation(method: string, query: URLSearchParams, headers: HttpRequest['headers']): string {
  const copies = headers['x-amz-copy-source'] !== undefined;
  if (query.has('tagging')) return unsupported(method, '?tagging of an object');
  if (query.has('uploadId')) {
    if (method === 'PUT' && copies) return unsupported(method, 'UploadPartCopy');
    const named = {
      PUT: 'UploadPart',
      GET: 'ListParts',
      DELETE: 'AbortMultipartUpload',
      POST: 'CompleteMultipartUpload',
    }[method];
    return named ?? unsupported(method, '?uploadId');
  }
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : unsupported(method, 'an object');
  if (method === 'PUT') return copies ? 'CopyObject' : 'PutObject';
  if (method === 'GET') return query.has('attributes') ? 'GetObjectAttributes' : 'GetObject';
  return { HEAD: 'HeadObject', DELETE: 'DeleteObject' }[method] ?? unsupported(method, 'an object');
}

function unsupported(method: string, what: string): never {
  throw new AwsError('NotImplemented', `The local S3 has no ${method} for ${what}`, 501);
}
