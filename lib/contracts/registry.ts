/**
 * The partition registry: the lake's one DynamoDB table, its keys and items. Truth about what is committed stands
 * here and never in the lease table (docs/architecture.md, "Append").
 *
 * | item        | pk                                   | sk                                |
 * |-------------|--------------------------------------|-----------------------------------|
 * | head        | `HEADS#<0–3>`                        | shard id                          |
 * | ledger row  | `LEDGER#<shard id>`                  | start position, padded            |
 * | segment     | `PARTITION#<use case>#<dt>T<hour>`   | `SEGMENT#<segment name>`          |
 * | partition   | same                                 | `PARTITION`                       |
 * | fold task   | same                                 | `TASK#<generation>#<bucket>`      |
 * | tail mark   | same                                 | `TAIL#<generation of the hour before>` |
 * | generation mark | same                             | `GENERATION#<generation>`         |
 * | refold request  | same                             | `REFOLD`                          |
 * | use case    | `USE_CASE#<use case>`                | `TRAINING`                        |
 * | fold leader | `LOCK`                               | `fold`                            |
 * | stream      | `LAKE`                               | `STREAM`                          |
 * | beginning   | same                                 | `BEGINNING`                       |
 *
 * The sparse index `UnfoldedIndex` (hash `unfolded` = use case, range `unfoldedPartition` = `<dt>T<hour>`) holds the
 * segments that no sealed generation contains yet, the marks and requests that ask for one, and, under the hash `#tasks`,
 * the open fold tasks.
 */
import type { Partition } from './lake-layout';

export const REGISTRY_PK = 'pk';
export const REGISTRY_SK = 'sk';
export const UNFOLDED_INDEX = 'UnfoldedIndex';
export const UNFOLDED_INDEX_HASH = 'unfolded';
export const UNFOLDED_INDEX_RANGE = 'unfoldedPartition';

/** Heads are spread over a few partition keys so that no one key takes all commits of a large stream. */
export const HEAD_BUCKETS = 4;
export const HEADS_PK_PREFIX = 'HEADS#';

export function headKey(shardId: string): { pk: string; sk: string } {
  let sum = 0;
  for (const character of shardId) sum = (sum * 31 + character.charCodeAt(0)) >>> 0;
  return { pk: `${HEADS_PK_PREFIX}${sum % HEAD_BUCKETS}`, sk: shardId };
}

export function ledgerPk(shardId: string): string {
  return `LEDGER#${shardId}`;
}

/** `<dt>T<hour>`, which sorts by time. */
export function partitionHour(partition: Partition): string {
  return `${partition.dt}T${partition.hour}`;
}

export function partitionPk(partition: Partition): string {
  return `PARTITION#${partition.useCase}#${partitionHour(partition)}`;
}

export const PARTITION_SK = 'PARTITION';
export const SEGMENT_SK_PREFIX = 'SEGMENT#';
export const TASK_SK_PREFIX = 'TASK#';

export function trainingStateKey(useCase: string): { pk: string; sk: string } {
  return { pk: `USE_CASE#${useCase}`, sk: 'TRAINING' };
}

/** Item `partition`: written at seal, only ever to a higher generation; read by the partition trigger and tools. */
export interface PartitionItem {
  readonly pk: string;
  readonly sk: typeof PARTITION_SK;
  readonly useCase: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  /** Newest sealed generation, from 1. Absent until the first seal. */
  readonly generation?: number;
  readonly manifestKey?: string;
  /** Feature files of the newest sealed generation. */
  readonly parts?: readonly SealedPart[];
  /** Hash over the feature rows of the generation: equal for two generations with equal features. */
  readonly contentHash?: string;
  /** Feature rows (windows). */
  readonly rows?: number;
  /** Readings registered in the frozen segments; `registered = folded + duplicates`. */
  readonly registered?: number;
  readonly folded?: number;
  readonly duplicates?: number;
  /** Epoch milliseconds. */
  readonly sealedAt?: number;
}

export interface SealedPart {
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  /** sha256 of the file's rows (not of its bytes), hex. */
  readonly contentHash: string;
}

/** Item `ledger row`: what one committed range of one shard held. */
export interface LedgerItem {
  readonly pk: string;
  readonly sk: string;
  readonly shardId: string;
  readonly start: string;
  readonly end: string;
  /** Kinesis user records, after de-aggregation. */
  readonly records: number;
  /** Readings registered in segments. `readings + quarantined` is everything that came in. */
  readonly readings: number;
  readonly quarantined: number;
  /** Per use case (`unknown` where the topic named none): what the two counts are made of. */
  readonly byUseCase: Readonly<Record<string, { readonly readings: number; readonly quarantined: number }>>;
  /** True where the stream had trimmed data before it was read: the range between is lost, and an alarm says so. */
  readonly gap?: boolean;
  /** True where the ledger was rebuilt after the range's objects had expired: what it held is not known. */
  readonly expired?: boolean;
}

/** Item `use case`: the partition trigger's memory. */
export interface TrainingStateItem {
  readonly pk: string;
  readonly sk: 'TRAINING';
  /** Newest partition (`<dt>T<hour>`) that was ever sealed: datasets reach back from it. */
  readonly newestHour?: string;
  /** The last dataset that a start was claimed for; without `executionArn` that start is still to be confirmed. */
  readonly datasetHash?: string;
  /** Partition hours (`<dt>T<hour>`) in the last dataset. */
  readonly datasetHours?: readonly string[];
  readonly executionArn?: string;
  readonly startedAt?: number;
}
