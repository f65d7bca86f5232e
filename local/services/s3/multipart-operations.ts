/** Operations on multipart uploads. */
import { AwsError } from '../../gateway/service';
import type { HttpResponse } from '../../gateway/service';
import { readAttributes, renderChecksum } from './attributes';
import { CHECKSUM_ALGORITHMS } from './checksums';
import { writeCondition } from './conditions';
import {
  completeUpload,
  createUpload,
  findUpload,
  listParts,
  listUploads,
  readPartNumber,
  removeUpload,
  savePart,
} from './multipart';
import { authorizeWrite } from './object-operations';
import type { Operation, RequestContext } from './operation';
import { noContent, readText } from './operation';
import { receiveUpload } from './upload';
import { children, parseXml, textOf, xmlResponse } from './xml';

async function createMultipartUpload({ store, bucket, key, request, clock }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  authorizeWrite({ store, bucket, key, request }, false);
  const { headers } = request;
  const checksumAlgorithm = CHECKSUM_ALGORITHMS.find(
    (name) => name === headers['x-amz-checksum-algorithm']?.toUpperCase(),
  );
  const checksumType =
    headers['x-amz-checksum-type'] === 'FULL_OBJECT' || checksumAlgorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE';
  const uploadId = createUpload(found, {
    key,
    initiated: clock.now(),
    attributes: readAttributes(headers),
    ...(checksumAlgorithm !== undefined && { checksumAlgorithm, checksumType }),
  });
  return xmlResponse(
    'InitiateMultipartUploadResult',
    { Bucket: bucket, Key: key, UploadId: uploadId },
    checksumAlgorithm === undefined
      ? {}
      : { 'x-amz-checksum-algorithm': checksumAlgorithm, 'x-amz-checksum-type': checksumType },
  );
}

async function uploadPart({ store, bucket, key, request, clock }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  authorizeWrite({ store, bucket, key, request }, false);
  const uploadId = uploadIdOf(request.query);
  findUpload(found, uploadId, key);
  const partNumber = readPartNumber(request.query.get('partNumber'));
  const upload = await receiveUpload(request, found.stagingDirectory);
  const part = savePart(found, uploadId, partNumber, upload, clock.now());
  return { status: 200, headers: { etag: `"${part.etag}"`, ...renderChecksum(part) } };
}

async function completeMultipartUpload({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  authorizeWrite({ store, bucket, key, request }, true);
  const upload = findUpload(found, uploadIdOf(request.query), key);
  const document = parseXml(await readText(request), 'CompleteMultipartUpload');
  const chosen = children(document, 'Part').map((part) => ({
    partNumber: readPartNumber(textOf(part, 'PartNumber') ?? null),
    etag: textOf(part, 'ETag'),
  }));
  const object = await completeUpload(found, upload, chosen, writeCondition(request.headers, key));
  const { checksum } = object;
  return xmlResponse('CompleteMultipartUploadResult', {
    Location: `/${bucket}/${key}`,
    Bucket: bucket,
    Key: key,
    ETag: `"${object.etag}"`,
    ...(checksum !== undefined && { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type }),
  });
}

async function abortMultipartUpload({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  const uploadId = uploadIdOf(request.query);
  findUpload(found, uploadId, key);
  removeUpload(found, uploadId);
  return noContent();
}

async function listPartsOperation({ store, bucket, key, request }: RequestContext): Promise<HttpResponse> {
  const found = store.bucket(bucket);
  const uploadId = uploadIdOf(request.query);
  findUpload(found, uploadId, key);
  const marker = Number(request.query.get('part-number-marker') ?? 0);
  const most = Math.min(Number(request.query.get('max-parts') ?? 1_000), 1_000);
  const rest = listParts(found, uploadId).filter(({ partNumber }) => partNumber > marker);
  const page = rest.slice(0, most);
  return xmlResponse('ListPartsResult', {
    Bucket: bucket,
    Key: key,
    UploadId: uploadId,
    PartNumberMarker: marker,
    ...(page.length > 0 && { NextPartNumberMarker: page.at(-1)!.partNumber }),
    MaxParts: most,
    IsTruncated: rest.length > page.length,
    Part: page.map((part) => ({
      PartNumber: part.partNumber,
      LastModified: new Date(part.lastModified).toISOString(),
      ETag: `"${part.etag}"`,
      Size: part.size,
      ...(part.checksum !== undefined && { [`Checksum${part.checksum.algorithm}`]: part.checksum.value }),
    })),
  });
}

async function listMultipartUploads({ store, bucket, request }: RequestContext): Promise<HttpResponse> {
  const prefix = request.query.get('prefix') ?? '';
  const uploads = listUploads(store.bucket(bucket)).filter(({ key }) => key.startsWith(prefix));
  return xmlResponse('ListMultipartUploadsResult', {
    Bucket: bucket,
    Prefix: prefix,
    IsTruncated: false,
    Upload: uploads.map(({ key, uploadId, initiated }) => ({
      Key: key,
      UploadId: uploadId,
      Initiated: new Date(initiated).toISOString(),
      StorageClass: 'STANDARD',
    })),
  });
}

function uploadIdOf(query: URLSearchParams): string {
  const uploadId = query.get('uploadId');
  if (uploadId === null) throw new AwsError('InvalidRequest', 'The request has no uploadId', 400);
  return uploadId;
}

export const multipartOperations: Readonly<Record<string, Operation>> = {
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listPartsOperation,
  ListMultipartUploads: listMultipartUploads,
};
