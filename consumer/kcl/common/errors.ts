/** Errors that a user of the library can meet. Names are those of the KCL's exceptions where it has one. */

/** The lease is not held any more: nothing can be checkpointed. The processor must stop its work on the shard. */
export class ShutdownError extends Error {
  override readonly name: string = 'ShutdownError';
}

/** A checkpoint outside [last checkpoint, largest delivered], or a malformed one. */
export class InvalidArgumentError extends Error {
  override readonly name = 'InvalidArgumentError';
}

/** The lease table, the stream or the processor is in a state the library cannot work with; the message says what to do. */
export class InvalidStateError extends Error {
  override readonly name = 'InvalidStateError';
}

/** A request was throttled beyond the retries; calling again later is right. */
export class ThrottlingError extends Error {
  override readonly name = 'ThrottlingError';
}

/** DynamoDB or Kinesis did not answer as it should; `cause` is the last failure. */
export class DependencyError extends Error {
  override readonly name = 'DependencyError';
}

/** A request was given up after its time limit. It may still take effect. */
export class RequestTimeoutError extends Error {
  override readonly name = 'RequestTimeoutError';
}

/** `config` has one or more values that cannot be used; the message lists all of them. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

const THROTTLING = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'KMSThrottlingException',
  'TooManyRequestsException',
]);

/** The service's error name (`error.name`), or an empty string for what is not an error. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

export function isThrottling(error: unknown): boolean {
  return THROTTLING.has(errorName(error)) || error instanceof ThrottlingError;
}

/** Name and message, for a log field. */
export function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `a thrown ${typeof error}`;
}
