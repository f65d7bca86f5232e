/** Whether and when a step is tried again, by its RetryPolicies. Pure. */
import type { RetryPolicy } from './definition';
import type { StepFailure } from './step-failure';

export interface AttemptHistory {
  /** Failures so far of each policy, by its index; the failure at hand not counted. */
  readonly retries: readonly number[];
  /** Milliseconds since the step's first attempt began. */
  readonly elapsed: number;
}

export interface Retry {
  readonly policy: number;
  readonly delayMs: number;
}

/** Defaults: first retry after 1 s, each wait twice the one before. */
export function nextRetry(
  policies: readonly RetryPolicy[],
  failure: StepFailure,
  history: AttemptHistory,
): Retry | undefined {
  const { retryType } = failure;
  if (retryType === undefined) return undefined;
  const policy = policies.findIndex(({ ExceptionType }) => ExceptionType.includes(retryType));
  const chosen = policies[policy];
  if (!chosen) return undefined;
  const retries = history.retries[policy] ?? 0;
  if (chosen.MaxAttempts !== undefined && retries >= chosen.MaxAttempts) return undefined;
  const delayMs = (chosen.IntervalSeconds ?? 1) * 1000 * (chosen.BackoffRate ?? 2) ** retries;
  if (chosen.ExpireAfterMin !== undefined && history.elapsed + delayMs > chosen.ExpireAfterMin * 60_000)
    return undefined;
  return { policy, delayMs };
}
