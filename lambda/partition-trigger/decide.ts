/** Whether a training execution starts, from a snapshot. Pure. */
import { createHash } from 'node:crypto';
import type { TriggerPolicy } from '../../lib/contracts/training';

/** The newest sealed generation of a partition. */
export interface SealedPartition {
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly generation: number;
  readonly contentHash: string;
  /** Feature rows. */
  readonly rows: number;
  /** Keys of its feature files in the lake bucket. */
  readonly files: readonly string[];
}

/** What the trigger remembers of a use case. */
export interface TrainingState {
  readonly newestHour?: string;
  readonly datasetHash?: string;
  readonly datasetHours?: readonly string[];
  readonly executionArn?: string;
  /** Epoch milliseconds. */
  readonly startedAt?: number;
}

export interface Snapshot {
  readonly useCase: string;
  readonly policy: TriggerPolicy;
  readonly state: TrainingState;
  /** Sealed partitions of the last `policy.datasetHours` hours, in any order. */
  readonly sealed: readonly SealedPartition[];
  /** Whether an execution of the use case's pipeline is under way. */
  readonly running: boolean;
  /** Epoch milliseconds. */
  readonly now: number;
}

export interface Dataset {
  /** sha256 hex over the use case, its hours and their content: equal features give an equal hash. */
  readonly hash: string;
  /** Ascending. */
  readonly hours: readonly string[];
  /** Keys of the feature files, by hour. */
  readonly files: readonly string[];
  readonly rows: number;
}

export type Decision =
  | { readonly action: 'start'; readonly dataset: Dataset }
  /** A start of this dataset was claimed and never confirmed: ask again, with the same token. */
  | { readonly action: 'confirm'; readonly datasetHash: string }
  | { readonly action: 'wait'; readonly reason: string };

export function decide({ useCase, policy, state, sealed, running, now }: Snapshot): Decision {
  if (state.datasetHash !== undefined && state.executionArn === undefined) {
    return { action: 'confirm', datasetHash: state.datasetHash };
  }
  const known = new Set(state.datasetHours);
  const fresh = sealed.filter(({ hour }) => !known.has(hour)).length;
  if (fresh < policy.newPartitions) return wait(`${fresh} of ${policy.newPartitions} new partitions are sealed`);

  const dataset = datasetOf(useCase, sealed);
  if (dataset.rows < policy.minimumRows) return wait(`the dataset has ${dataset.rows} of ${policy.minimumRows} rows`);
  if (dataset.hash === state.datasetHash) return wait('the dataset is the one that was trained on last');
  const cooldownLeft = (state.startedAt ?? -Infinity) + policy.cooldown - now;
  if (cooldownLeft > 0) return wait(`cooldown for another ${Math.ceil(cooldownLeft / 1000)} s`);
  if (running) return wait('an execution is running');
  return { action: 'start', dataset };
}

function wait(reason: string): Decision {
  return { action: 'wait', reason };
}

export function datasetOf(useCase: string, sealed: readonly SealedPartition[]): Dataset {
  const partitions = [...sealed].sort((a, b) => (a.hour < b.hour ? -1 : a.hour > b.hour ? 1 : 0));
  const sha256 = createHash('sha256').update(`${useCase}\n`);
  for (const { hour, contentHash } of partitions) sha256.update(`${hour} ${contentHash}\n`);
  return {
    hash: sha256.digest('hex'),
    hours: partitions.map(({ hour }) => hour),
    files: partitions.flatMap(({ files }) => [...files].sort()),
    rows: partitions.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** Hours (`<dt>T<hour>`) of a dataset: `count` of them, the last one `newest`; ascending. */
export function datasetWindow(newest: string, count: number): string[] {
  const end = Date.parse(`${newest}:00:00.000Z`);
  return Array.from({ length: count }, (_, index) =>
    new Date(end - (count - 1 - index) * 3_600_000).toISOString().slice(0, 13),
  );
}

/**
 * ClientRequestToken of the start (32–128 characters): the same use case, dataset and definition are one execution,
 * however often they are asked for.
 */
export function startToken(useCase: string, datasetHash: string, definitionHash: string): string {
  return createHash('sha256').update(`${useCase}|${datasetHash}|${definitionHash}`).digest('hex');
}
