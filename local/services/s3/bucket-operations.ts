/** Operations on buckets and listings. */
import { AwsError } from '../../gateway/service';
import type { HttpResponse } from '../../gateway/service';
import type { Operation, RequestContext } from './operation';
import { noContent, readText } from './operation';
import { listKeys, readToken, writeToken } from './listing';
import { SETTINGS, settingOf } from './requests';
import type { StoredObject } from './stored-object';
import { parseXml, renderXml, xmlResponse } from './xml';
import type { XmlElement } from './xml';

const OWNER = { ID: '000000000000', DisplayName: 'local' };
const REGION = 'us-east-1';

async function listBuckets({ store }: RequestContext): Promise<HttpResponse> {
  const Bucket = store
    .list()
    .map(({ name, created }) => ({ Name: name, CreationDate: new Date(created).toISOString() }));
  return xmlResponse('ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket } });
}

async function createBucket({ store, bucket }: RequestContext): Promise<HttpResponse> {
  await store.create(bucket);
  return { status: 200, headers: { location: `/${bucket}` } };
}

async function headBucket({ store, bucket }: RequestContext): Promise<HttpResponse> {
  store.bucket(bucket);
  return { status: 200, headers: { 'x-amz-bucket-region': REGION } };
}

async function deleteBucket({ store, bucket }: RequestContext): Promise<HttpResponse> {
  await store.delete(bucket);
  return noContent();
}

async function getBucketLocation({ store, bucket }: RequestContext): Promise<HttpResponse> {
  store.bucket(bucket);
  // S3 names us-east-1 by an empty LocationConstraint.
  return xmlResponse('LocationConstraint', '');
}

async function putSetting({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const setting = settingOf(request.query)!;
  store.bucket(bucket);
  const body = await readText(request);
  const root = SETTINGS[setting].root;
  if (root !== undefined) parseXml(body, root);
  await store.configure(bucket, setting, body);
  return { status: setting === 'tagging' || setting === 'policy' ? 204 : 200, headers: {} };
}

async function getSetting({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const setting = settingOf(request.query)!;
  store.bucket(bucket);
  const { absent, root } = SETTINGS[setting];
  const body = store.setting(bucket, setting);
  if (body !== undefined) {
    return {
      status: 200,
      headers: { 'content-type': root === undefined ? 'application/json' : 'application/xml' },
      body,
    };
  }
  if (absent instanceof AwsError) throw absent;
  return xmlResponse(root!, absent as XmlElement);
}

async function deleteSetting({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  store.bucket(bucket);
  await store.configure(bucket, settingOf(request.query)!, undefined);
  return noContent();
}

async function listObjectsV2({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const { query } = request;
  const found = store.bucket(bucket);
  const common = readListing(query);
  const token = query.get('continuation-token');
  const startAfter = query.get('start-after') ?? '';
  const after = token !== null ? readToken(token) : startAfter === '' ? undefined : { key: startAfter };
  const page = listKeys(found.keys, { ...common, ...(after !== undefined && { after }) });
  const encode = keyEncoder(query);
  return xmlResponse('ListBucketResult', {
    Name: bucket,
    Prefix: encode(common.prefix),
    ...(startAfter !== '' && { StartAfter: encode(startAfter) }),
    ...(token !== null && { ContinuationToken: token }),
    ...(page.next !== undefined && { NextContinuationToken: writeToken(page.next) }),
    ...(common.delimiter !== '' && { Delimiter: encode(common.delimiter) }),
    KeyCount: page.keys.length + page.commonPrefixes.length,
    MaxKeys: common.maxKeys,
    ...(query.get('encoding-type') === 'url' && { EncodingType: 'url' }),
    IsTruncated: page.next !== undefined,
    Contents: page.keys.map((key) => renderSummary(found.find(key)!, encode, query.get('fetch-owner') === 'true')),
    CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
  });
}

async function listObjects({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const { query } = request;
  const found = store.bucket(bucket);
  const common = readListing(query);
  const marker = query.get('marker') ?? '';
  const page = listKeys(found.keys, { ...common, ...(marker !== '' && { after: { key: marker } }) });
  const encode = keyEncoder(query);
  const next = page.next === undefined ? undefined : 'key' in page.next ? page.next.key : page.next.commonPrefix;
  return xmlResponse('ListBucketResult', {
    Name: bucket,
    Prefix: encode(common.prefix),
    Marker: encode(marker),
    ...(next !== undefined && common.delimiter !== '' && { NextMarker: encode(next) }),
    ...(common.delimiter !== '' && { Delimiter: encode(common.delimiter) }),
    MaxKeys: common.maxKeys,
    ...(query.get('encoding-type') === 'url' && { EncodingType: 'url' }),
    IsTruncated: next !== undefined,
    Contents: page.keys.map((key) => renderSummary(found.find(key)!, encode, true)),
    CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
  });
}

function readListing(query: URLSearchParams): { prefix: string; delimiter: string; maxKeys: number } {
  const text = query.get('max-keys') ?? '1000';
  const maxKeys = Number(text);
  if (!/^\d+$/.test(text) || maxKeys > 2_147_483_647) {
    throw new AwsError('InvalidArgument', 'Provided max-keys not an integer or within integer range', 400, {
      ArgumentName: 'max-keys',
      ArgumentValue: text,
    });
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: Math.min(maxKeys, 1_000),
  };
}

/** `encoding-type=url` is what carries keys that XML 1.0 cannot. */
function keyEncoder(query: URLSearchParams): (key: string) => string {
  if (query.get('encoding-type') !== 'url') return (key) => key;
  return (key) => encodeURIComponent(key).replaceAll('%2F', '/');
}

function renderSummary(object: StoredObject, encode: (key: string) => string, owner: boolean): XmlElement {
  return {
    Key: encode(object.key),
    LastModified: new Date(object.lastModified).toISOString(),
    ETag: `"${object.etag}"`,
    ...(object.checksum !== undefined && {
      ChecksumAlgorithm: object.checksum.algorithm,
      ChecksumType: object.checksum.type,
    }),
    Size: object.size,
    StorageClass: 'STANDARD',
    ...(owner && { Owner: OWNER }),
  };
}

const settingOperations = Object.values(SETTINGS).flatMap(({ operation }): [string, Operation][] => [
  [`Put${operation}`, putSetting],
  [`Get${operation}`, getSetting],
  [`Delete${operation}`, deleteSetting],
]);

export const bucketOperations: Readonly<Record<string, Operation>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getBucketLocation,
  ListObjectsV2: listObjectsV2,
  ListObjects: listObjects,
  ...Object.fromEntries(settingOperations),
};

export function renderErrorDocument(error: AwsError, requestId: string): string {
  const members = Object.fromEntries(Object.entries(error.members).map(([name, value]) => [name, String(value)]));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${renderXml('Error', { Code: error.code, Message: error.message, ...members, RequestId: requestId })}`;
}
