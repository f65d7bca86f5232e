import { AwsError } from '../../../gateway/service';

/** The exception types that a retry policy can name. */
export type RetryType =
  | 'Step.SERVICE_FAULT'
  | 'Step.THROTTLING'
  | 'SageMaker.JOB_INTERNAL_ERROR'
  | 'SageMaker.CAPACITY_ERROR'
  | 'SageMaker.RESOURCE_LIMIT';

/** Why a step failed; the message becomes its FailureReason. */
export class StepFailure extends Error {
  constructor(
    message: string,
    /** Absent = trying again would not help. */
    readonly retryType?: RetryType,
  ) {
    super(message);
    this.name = 'StepFailure';
  }
}

/** Any error as the failure of a step: a service's own faults and throttling may be retried. */
export function asStepFailure(error: unknown): StepFailure {
  if (error instanceof StepFailure) return error;
  if (error instanceof AwsError) {
    const text = `${error.code}: ${error.message}`;
    if (error.status >= 500) return new StepFailure(text, 'Step.SERVICE_FAULT');
    if (/Throttl|SlowDown|TooManyRequests/.test(error.code)) return new StepFailure(text, 'Step.THROTTLING');
    return new StepFailure(`ClientError: ${text}`);
  }
  return new StepFailure(error instanceof Error ? error.message : String(error));
}
