/** Runs one fold task to its part file; in this process, or (fold-worker) in a thread of its own. */
import type { GenerationInputs, ManifestPart } from '../../../lib/contracts/documents';
import { partKey } from '../../../lib/contracts/lake-layout';
import type { UseCase } from '../../../use-cases/define-use-case';
import { partitionAt } from '../registry-items';
import { CONTENT_HASH, type ObjectStore } from '../stores/object-store';
import { foldBucket, type FieldQuality, type FoldedBucket } from './compute';

export interface FoldRequest {
  readonly inputs: GenerationInputs;
  readonly bucket: number;
}

/** Plain data: it goes from thread to thread, and into the registry. */
export interface FoldOutcome {
  readonly part?: ManifestPart;
  readonly registered: number;
  readonly folded: number;
  readonly duplicates: number;
  readonly quality: Readonly<Record<string, FieldQuality>>;
}

/**
 * The fold itself failed: its rows, a feature, or the memory it needs. Counts towards parking the task; a request that
 * failed does not, however often.
 */
export class FoldFailedError extends Error {
  override readonly name = 'FoldFailedError';
}

export interface FoldRunner {
  /** @throws FoldFailedError, or the error of a request that failed. */
  run(request: FoldRequest): Promise<FoldOutcome>;
  close(): Promise<void>;
}

/** @throws FoldFailedError where the use case is unknown, a segment is missing or unreadable, or a feature throws. */
export async function runFoldTask(
  objects: ObjectStore,
  useCases: ReadonlyMap<string, UseCase>,
  { inputs, bucket }: FoldRequest,
): Promise<FoldOutcome> {
  const useCase = useCases.get(inputs.useCase);
  if (useCase === undefined) throw new FoldFailedError(`fold task of unknown use case ${inputs.useCase}`);
  const { part, ...counts } = await loaded(objects, useCase, inputs, bucket);
  if (part === undefined) return counts;
  const key = partKey(partitionAt(inputs.useCase, inputs.hour), inputs.generation, bucket);
  const created = await objects.create(key, part.body, { [CONTENT_HASH]: part.contentHash, rows: String(part.rows) });
  const mine: ManifestPart = { key, rows: part.rows, bytes: part.body.length, contentHash: part.contentHash };
  if (created === 'created') return { part: mine, ...counts };
  // What exists is what the manifest must describe, whoever wrote it.
  const head = await objects.head(key);
  if (head === undefined) throw new Error(`part ${key} exists and cannot be read`);
  const { [CONTENT_HASH]: contentHash = part.contentHash, rows = String(part.rows) } = head.metadata;
  return { part: { key, rows: Number(rows), bytes: head.bytes, contentHash }, ...counts };
}

async function loaded(
  objects: ObjectStore,
  useCase: UseCase,
  inputs: GenerationInputs,
  bucket: number,
): Promise<FoldedBucket> {
  let requestFailed = false;
  const watched: Pick<ObjectStore, 'get'> = {
    get: async (key, range) => {
      try {
        return await objects.get(key, range);
      } catch (error) {
        requestFailed = true;
        throw error;
      }
    },
  };
  try {
    return await foldBucket(watched, useCase, inputs, bucket);
  } catch (error) {
    if (requestFailed) throw error;
    throw new FoldFailedError((error as Error).message, { cause: error });
  }
}

/** For tests, the simulator and runs from source, where there is no bundled worker. */
export class InProcessFoldRunner implements FoldRunner {
  constructor(
    private readonly objects: ObjectStore,
    private readonly useCases: ReadonlyMap<string, UseCase>,
  ) {}

  run(request: FoldRequest): Promise<FoldOutcome> {
    return runFoldTask(this.objects, this.useCases, request);
  }

  async close(): Promise<void> {}
}
