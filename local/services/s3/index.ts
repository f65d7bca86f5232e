export { S3Service } from './s3-service';
export type { ObjectSummary, PutOptions, S3Objects, S3ServiceOptions } from './s3-service';
export type { S3Event } from './events';
