/** Headers that travel with an object. */
import { AwsError } from '../../gateway/service';
import type { HttpRequest } from '../../gateway/service';
import { checksumHeader } from './checksums';
import type { ObjectAttributes, StoredObject } from './stored-object';

const STANDARD = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];
const USER = 'x-amz-meta-';
/** S3's limit on the sum of names and values of user metadata. */
const MOST_METADATA_BYTES = 2_048;

/** @throws AwsError MetadataTooLarge */
export function readAttributes(requestHeaders: HttpRequest['headers']): ObjectAttributes {
  const headers: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  const metadata: Record<string, string> = {};
  for (const name of STANDARD) {
    const value = requestHeaders[name];
    // aws-chunked is how the body came, not what the object is.
    const kept =
      name === 'content-encoding'
        ? value
            ?.split(',')
            .filter((coding) => coding.trim() !== 'aws-chunked')
            .join(',')
        : value;
    if (kept !== undefined && kept !== '') headers[name] = kept;
  }
  let bytes = 0;
  for (const [name, value] of Object.entries(requestHeaders)) {
    if (!name.startsWith(USER)) continue;
    metadata[name.slice(USER.length)] = value;
    bytes += Buffer.byteLength(name) - USER.length + Buffer.byteLength(value);
  }
  if (bytes > MOST_METADATA_BYTES) {
    throw new AwsError(
      'MetadataTooLarge',
      `The user metadata has ${bytes} bytes; at most ${MOST_METADATA_BYTES} are allowed`,
      400,
    );
  }
  return { headers, metadata };
}

export function renderAttributes({ headers, metadata }: ObjectAttributes): Record<string, string> {
  return {
    ...headers,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`${USER}${name}`, value])),
  };
}

export function renderChecksum({ checksum }: Pick<StoredObject, 'checksum'>): Record<string, string> {
  if (checksum === undefined) return {};
  return { [checksumHeader(checksum.algorithm)]: checksum.value, 'x-amz-checksum-type': checksum.type };
}
