/** Operations on single objects, and DeleteObjects. */
import { closeSync, constants, createReadStream, readSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { AwsError } from '../../gateway/service';
import type { HttpRequest, HttpResponse } from '../../gateway/service';
import { readAttributes, renderAttributes, renderChecksum } from './attributes';
import { noSuchKey } from './bucket';
import type { Bucket } from './bucket';
import { denies } from './bucket-policy';
import { readCondition, readRange, writeCondition } from './conditions';
import type { Operation, RequestContext } from './operation';
import { noContent, readText } from './operation';
import type { StoredObject } from './stored-object';
import { receiveUpload } from './upload';
import { children, parseXml, textOf, xmlResponse } from './xml';

/** Objects up to this size are read at once, others streamed. */
const READ_AT_ONCE_BYTES = 256 * 1024;
const MOST_DELETIONS = 1_000;

async function putObject({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  authorizeWrite({ store, bucket, key, request }, true);
  const condition = writeCondition(request.headers, key);
  const attributes = readAttributes(request.headers);
  condition(found.find(key));
  const upload = await receiveUpload(request, found.stagingDirectory);
  const object = await found.put({
    key,
    size: upload.size,
    etag: upload.md5.toString('hex'),
    attributes,
    ...(upload.checksum !== undefined && { checksum: upload.checksum }),
    content: upload.content,
    reason: 'PutObject',
    condition,
  });
  return { status: 200, headers: { etag: `"${object.etag}"`, ...renderChecksum(object) } };
}

async function getObject({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const { object, descriptor } = openObject(store.bucket(bucket), key);
  let streaming = false;
  try {
    const head = renderObject(object, request);
    if (head.status === 304) return head;
    const range = readRange(request.headers['range'], object.size);
    const { first, last } = range ?? { first: 0, last: object.size - 1 };
    const length = last - first + 1;
    const response = {
      status: range === undefined ? 200 : 206,
      headers: {
        ...head.headers,
        'content-length': String(length),
        ...(range === undefined
          ? wantedChecksum(object, request)
          : { 'content-range': `bytes ${first}-${last}/${object.size}` }),
      },
    };
    if (length <= READ_AT_ONCE_BYTES) return { ...response, body: readBytes(descriptor, first, length) };
    streaming = true;
    return {
      ...response,
      body: createReadStream('', { fd: descriptor, start: first, end: last, highWaterMark: READ_AT_ONCE_BYTES }),
    };
  } finally {
    if (!streaming) closeSync(descriptor);
  }
}

async function headObject({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const object = store.bucket(bucket).find(key);
  if (object === undefined) throw noSuchKey(key);
  const head = renderObject(object, request);
  if (head.status === 304) return head;
  const range = readRange(request.headers['range'], object.size);
  const length = range === undefined ? object.size : range.last - range.first + 1;
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...head.headers,
      ...wantedChecksum(object, request),
      'content-length': String(length),
      ...(range !== undefined && { 'content-range': `bytes ${range.first}-${range.last}/${object.size}` }),
    },
  };
}

async function getObjectAttributes({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const object = store.bucket(bucket).find(key);
  if (object === undefined) throw noSuchKey(key);
  const wanted = new Set((request.headers['x-amz-object-attributes'] ?? '').split(',').map((name) => name.trim()));
  const { checksum } = object;
  return xmlResponse(
    'GetObjectAttributesResponse',
    {
      ...(wanted.has('ETag') && { ETag: object.etag }),
      ...(wanted.has('Checksum') &&
        checksum !== undefined && {
          Checksum: { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type },
        }),
      ...(wanted.has('StorageClass') && { StorageClass: 'STANDARD' }),
      ...(wanted.has('ObjectSize') && { ObjectSize: object.size }),
    },
    { 'last-modified': new Date(object.lastModified).toUTCString() },
  );
}

async function deleteObject({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  await store.bucket(bucket).delete(key, writeCondition(request.headers, key));
  return noContent();
}

async function deleteObjects({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  const document = parseXml(await readText(request), 'Delete');
  const keys = children(document, 'Object').map((element) => textOf(element, 'Key') ?? '');
  if (keys.length === 0 || keys.length > MOST_DELETIONS) {
    throw new AwsError(
      'MalformedXML',
      `DeleteObjects takes 1 to ${MOST_DELETIONS} keys; the request has ${keys.length}`,
      400,
    );
  }
  await Promise.all(keys.map((key) => found.delete(key)));
  const quiet = textOf(document, 'Quiet') === 'true';
  return xmlResponse('DeleteResult', quiet ? {} : { Deleted: keys.map((Key) => ({ Key })) });
}

async function copyObject({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const target = store.bucket(bucket);
  authorizeWrite({ store, bucket, key, request }, true);
  const source = readCopySource(request.headers['x-amz-copy-source']!);
  const from = store.bucket(source.bucket);
  const original = from.find(source.key);
  if (original === undefined) throw noSuchKey(source.key);
  const { headers } = request;
  const sourceMatch = headers['x-amz-copy-source-if-match'];
  const sourceNoneMatch = headers['x-amz-copy-source-if-none-match'];
  const sourceConditions = {
    ...(sourceMatch && { 'if-match': sourceMatch }),
    ...(sourceNoneMatch && { 'if-none-match': sourceNoneMatch }),
  };
  if (readCondition(sourceConditions, original) === 'not modified') {
    throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
  }
  const replaces = headers['x-amz-metadata-directive'] === 'REPLACE';
  if (!replaces && source.bucket === bucket && source.key === key) {
    throw new AwsError(
      'InvalidRequest',
      'This copy request is illegal because it is trying to copy an object to itself without changing its metadata.',
      400,
    );
  }
  const file = join(target.stagingDirectory, randomUUID());
  await copyFile(from.pathOf(source.key), file, constants.COPYFILE_FICLONE);
  const object = await target.put({
    key,
    size: original.size,
    etag: original.etag,
    attributes: replaces ? readAttributes(headers) : original.attributes,
    ...(original.checksum !== undefined && { checksum: original.checksum }),
    content: { file },
    reason: 'CopyObject',
    condition: writeCondition(headers, key),
  });
  return xmlResponse('CopyObjectResult', {
    ETag: `"${object.etag}"`,
    LastModified: new Date(object.lastModified).toISOString(),
  });
}

/** @throws AwsError AccessDenied where the bucket's policy demands a conditional write and this is none. */
export function authorizeWrite(
  { store, bucket, key, request }: Pick<RequestContext, 'store' | 'bucket' | 'key' | 'request'>,
  createsObject: boolean,
): void {
  const policy = store.policyOf(bucket);
  if (
    policy !== undefined &&
    denies(policy, { bucket, key, ifNoneMatch: request.headers['if-none-match'], createsObject })
  ) {
    throw new AwsError(
      'AccessDenied',
      `s3:PutObject on arn:aws:s3:::${bucket}/${key} is denied by the bucket's policy: objects here are written with If-None-Match: * only`,
      403,
    );
  }
}

function openObject(bucket: Bucket, key: string): { readonly object: StoredObject; readonly descriptor: number } {
  const opened = bucket.open(key);
  if (opened === undefined) throw noSuchKey(key);
  return opened;
}

export function readBytes(descriptor: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const read = readSync(descriptor, bytes, at, length - at, from + at);
    if (read === 0)
      throw new AwsError(
        'InternalError',
        `The object's file is shorter than its ${from + length} bytes: it was changed by hand`,
        500,
      );
    at += read;
  }
  return bytes;
}

function renderObject(
  object: StoredObject,
  request: HttpRequest,
): { readonly status: number; readonly headers: Record<string, string> } {
  const status = readCondition(request.headers, object) === 'send' ? 200 : 304;
  const headers: Record<string, string> = {
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.lastModified).toUTCString(),
    ...(status === 200 && { 'accept-ranges': 'bytes', ...renderAttributes(object.attributes) }),
  };
  for (const [name, value] of request.query) {
    if (name.startsWith('response-')) headers[name.slice('response-'.length)] = value;
  }
  return { status, headers };
}

function wantedChecksum(object: StoredObject, request: HttpRequest): Record<string, string> {
  return request.headers['x-amz-checksum-mode'] === 'ENABLED' ? renderChecksum(object) : {};
}

/** `bucket/key`, percent-encoded, with or without a leading slash. */
function readCopySource(header: string): { readonly bucket: string; readonly key: string } {
  const path = decodeURIComponent(header.replace(/\?versionId=.*$/, '')).replace(/^\//, '');
  const slash = path.indexOf('/');
  if (slash < 1 || slash === path.length - 1) {
    throw new AwsError(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
      400,
    );
  }
  return { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
}

export const objectOperations: Readonly<Record<string, Operation>> = {
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: headObject,
  GetObjectAttributes: getObjectAttributes,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  CopyObject: copyObject,
};
