import { validation } from './input';

export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

/** @throws AwsError ValidationException for anything but `s3://bucket/key`. */
export function parseS3Uri(uri: string): S3Location {
  const match = /^s3:\/\/([^/]{3,63})(?:\/(.*))?$/s.exec(uri);
  if (!match) throw validation(`"${uri}" is not an S3 URI of the form s3://bucket/key`);
  return { bucket: match[1]!, key: match[2] ?? '' };
}
