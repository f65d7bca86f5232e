/** Seal: the manifest, created once; then the registry, only ever to a higher generation; then the marks. */
import { createHash } from 'node:crypto';
import type {
  ColumnQuality,
  GenerationInputs,
  ManifestPart,
  PartitionManifest,
} from '../../../lib/contracts/documents';
import { HOUR_MS, manifestKey, partitionOf, partitionStart } from '../../../lib/contracts/lake-layout';
import {
  PARTITION_SK,
  SEGMENT_SK_PREFIX,
  UNFOLDED_INDEX_HASH,
  UNFOLDED_INDEX_RANGE,
  partitionHour,
  partitionPk,
} from '../../../lib/contracts/registry';
import { partitionAt, segmentName, TAIL_SK_PREFIX, type TailMark } from '../registry-items';
import { createSame, ContentMismatchError, type ObjectStore } from '../stores/object-store';
import {
  ConditionFailedError,
  MAXIMUM_TRANSACTION_WRITES,
  type Key,
  type RegistryStore,
  type Write,
} from '../stores/registry-store';
import type { FoldOutcome } from './runner';

export interface SealRequest {
  readonly inputs: GenerationInputs;
  /** One per bucket, in order. */
  readonly outcomes: readonly FoldOutcome[];
  /** Marks, requests and fold tasks of the partition that this generation answers; tail marks: read before its tail was. */
  readonly answered: readonly Key[];
  /** The partition held readings, new in this generation, that the next hour's windows reach back to. */
  readonly marksNextHour: boolean;
  /** Stream time of the tick, which the next hour's mark carries. */
  readonly completeUntil: number;
  /** Epoch milliseconds; for people only. */
  readonly now: number;
}

export function buildManifest(inputs: GenerationInputs, outcomes: readonly FoldOutcome[]): PartitionManifest {
  const sum = (of: (outcome: FoldOutcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const parts = outcomes.flatMap(({ part }): ManifestPart[] => (part === undefined ? [] : [part]));
  const folded = sum((outcome) => outcome.folded);
  return {
    useCase: inputs.useCase,
    hour: inputs.hour,
    generation: inputs.generation,
    codeVersion: inputs.codeVersion,
    segments: inputs.segments,
    parts,
    counts: {
      registered: sum((outcome) => outcome.registered),
      folded,
      duplicates: sum((outcome) => outcome.duplicates),
      rows: parts.reduce((total, part) => total + part.rows, 0),
    },
    quality: mergeQuality(outcomes, folded),
    contentHash: createHash('sha256')
      .update(parts.map(({ contentHash }) => contentHash).join('\n'))
      .digest('hex'),
  };
}

function mergeQuality(outcomes: readonly FoldOutcome[], folded: number): Record<string, ColumnQuality> {
  const fields = Object.keys(outcomes[0]?.quality ?? {});
  return Object.fromEntries(
    fields.map((field): [string, ColumnQuality] => {
      const all = outcomes.map(({ quality }) => quality[field]!);
      const nulls = all.reduce((total, { nulls: count }) => total + count, 0);
      const minimum = Math.min(...all.map((part) => part.minimum ?? Infinity));
      const maximum = Math.max(...all.map((part) => part.maximum ?? -Infinity));
      return [
        field,
        { nullShare: folded === 0 ? 0 : nulls / folded, ...(minimum <= maximum ? { minimum, maximum } : {}) },
      ];
    }),
  );
}

/** Writes the manifest, or takes the one that another worker wrote for this generation: it was the first. */
async function publish(objects: ObjectStore, manifest: PartitionManifest, key: string): Promise<PartitionManifest> {
  const body = Buffer.from(`${JSON.stringify(manifest)}\n`);
  try {
    await createSame(objects, key, body, createHash('sha256').update(body).digest('hex'));
    return manifest;
  } catch (error) {
    if (!(error instanceof ContentMismatchError)) throw error;
    const existing = await objects.get(key);
    if (existing === undefined) throw error;
    return JSON.parse(Buffer.from(existing).toString('utf8')) as PartitionManifest;
  }
}

/** @returns whether the registry took the generation as its newest; false where it has one at least as new. */
export async function seal(objects: ObjectStore, registry: RegistryStore, request: SealRequest): Promise<boolean> {
  const { inputs } = request;
  const partition = partitionAt(inputs.useCase, inputs.hour);
  const key = manifestKey(partition, inputs.generation);
  const manifest = await publish(objects, buildManifest(inputs, request.outcomes), key);
  const after: Write[] = [
    ...(request.marksNextHour ? [nextHourMark(inputs, request.completeUntil)] : []),
    ...request.answered.map(({ pk, sk }): Write => ({ delete: { pk, sk } })),
    ...unmark(inputs),
  ];
  const item: Write = {
    update: { pk: partitionPk(partition), sk: PARTITION_SK },
    set: {
      useCase: inputs.useCase,
      hour: inputs.hour,
      generation: inputs.generation,
      manifestKey: key,
      parts: manifest.parts,
      contentHash: manifest.contentHash,
      rows: manifest.counts.rows,
      registered: manifest.counts.registered,
      folded: manifest.counts.folded,
      duplicates: manifest.counts.duplicates,
      sealedAt: request.now,
    },
    condition: [[{ path: 'generation', absent: true }], [{ path: 'generation', lessThan: inputs.generation }]],
  };
  const first = after.splice(0, MAXIMUM_TRANSACTION_WRITES - 1);
  let registered = true;
  try {
    await registry.transact([item, ...first]);
  } catch (error) {
    if (!(error instanceof ConditionFailedError)) throw error;
    registered = false;
    // A generation at least as new is registered. This one is sealed all the same, so its marks go.
    if (first.length > 0) await registry.transact(first);
  }
  while (after.length > 0) await registry.transact(after.splice(0, MAXIMUM_TRANSACTION_WRITES));
  return registered;
}

/** Removes the `unfolded` marks of exactly the segments that the generation froze. */
export function unmark(inputs: GenerationInputs): Write[] {
  const pk = partitionPk(partitionAt(inputs.useCase, inputs.hour));
  return inputs.segments.map(({ key }) => ({
    update: { pk, sk: `${SEGMENT_SK_PREFIX}${segmentName(key)}` },
    remove: [UNFOLDED_INDEX_HASH, UNFOLDED_INDEX_RANGE],
  }));
}

function nextHourMark(inputs: GenerationInputs, completeUntil: number): Write {
  const partition = partitionAt(inputs.useCase, inputs.hour);
  const next = partitionOf(inputs.useCase, partitionStart(partition) + HOUR_MS);
  const mark: TailMark = {
    pk: partitionPk(next),
    sk: `${TAIL_SK_PREFIX}${inputs.generation}`,
    oldestArrival: completeUntil,
    newestArrival: completeUntil,
    unfolded: inputs.useCase,
    unfoldedPartition: partitionHour(next),
  };
  return { put: { ...mark } };
}
