/**
 * Step caching: a step whose cache key equals that of an earlier success of the same step in the same pipeline takes
 * over its result. The key sees S3 URIs, never the bytes behind them.
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
 */
import { createHash } from 'node:crypto';
import { parseDuration } from './duration';
import type { Step, StepType } from './definition';
import type { ExecutionRecord, StepRecord } from './execution-record';

const KEY_ATTRIBUTES: Partial<Record<StepType, readonly string[]>> = {
  Processing: ['AppSpecification', 'Environment', 'ProcessingInputs'],
  Training: [
    'AlgorithmSpecification',
    'CheckpointConfig',
    'DebugHookConfig',
    'DebugRuleConfigurations',
    'Environment',
    'HyperParameters',
    'InputDataConfig',
  ],
};

/** sha256 hex of the step's key attributes, or undefined where the step has no caching. */
export function cacheKey(step: Step, resolvedArguments: Readonly<Record<string, unknown>>): string | undefined {
  const attributes = KEY_ATTRIBUTES[step.Type];
  if (!attributes || !step.CacheConfig?.Enabled) return undefined;
  const key = attributes.map((attribute) => [attribute, resolvedArguments[attribute] ?? null]);
  return createHash('sha256')
    .update(JSON.stringify([step.Type, canonical(key)]))
    .digest('hex');
}

/** The newest success with this key that has not expired, and the execution that truly ran it. */
export function findCached(
  step: Step,
  key: string,
  executions: readonly ExecutionRecord[],
  now: number,
): { record: StepRecord; source: string } | undefined {
  const expireAfter = step.CacheConfig?.ExpireAfter;
  const maximumAge = expireAfter === undefined ? Infinity : parseDuration(expireAfter);
  let found: { record: StepRecord; source: string; ended: number } | undefined;
  for (const execution of executions) {
    for (const record of execution.steps) {
      if (record.name !== step.Name || record.cacheKey !== key || record.status !== 'Succeeded') continue;
      // A hit does not renew the result: its age counts from the execution that ran it.
      if (record.cacheSource !== undefined || record.endTime === undefined) continue;
      if (now - record.endTime > maximumAge || (found && found.ended >= record.endTime)) continue;
      found = { record, source: execution.arn, ended: record.endTime };
    }
  }
  return found;
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => [key, canonical(member)]),
  );
}
