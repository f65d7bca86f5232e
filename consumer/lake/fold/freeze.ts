/** Freeze: which segments a generation is made of, fixed once and for all workers by a create-only object. */
import type { GenerationInputs, SegmentReference } from '../../../lib/contracts/documents';
import { inputsKey, partitionEnd, type Partition } from '../../../lib/contracts/lake-layout';
import { partitionHour } from '../../../lib/contracts/registry';
import { generationMark, type SegmentItem } from '../registry-items';
import type { ObjectStore } from '../stores/object-store';
import type { RegistryStore } from '../stores/registry-store';

/** Default of {@link FreezeRequest.rowsPerBucket}: about as many rows as one fold task holds in memory. */
export const ROWS_PER_BUCKET = 2_000_000;

export interface FreezeRequest {
  readonly partition: Partition;
  /** Newest sealed generation, read before the segments; 0 = none. */
  readonly sealed: number;
  /** Inputs of that generation. */
  readonly previous: GenerationInputs | undefined;
  readonly codeVersion: string;
  /** Readings for one fold task. */
  readonly rowsPerBucket: number;
  /** All registered segments of the partition, read consistently. */
  readonly segments: readonly SegmentItem[];
  /** Segments of the hour before that reach into the windows' lookback, read consistently. */
  readonly tailSegments: readonly SegmentItem[];
}

export interface Frozen {
  readonly inputs: GenerationInputs;
  /** False where the object was there already: its choice holds, which may be older than the request's. */
  readonly fresh: boolean;
}

export function segmentReference({ key, rows, bytes, contentHash, rowGroups }: SegmentItem): SegmentReference {
  return { key, rows, bytes, contentHash, ...(rowGroups !== undefined && rowGroups.length > 1 ? { rowGroups } : {}) };
}

/** Length of the time before an hour that the hour's windows reach into, milliseconds. */
export function tailLength(windows: { readonly sizeMs: number; readonly lookbackMs: number }): number {
  return Math.max(0, windows.lookbackMs - windows.sizeMs);
}

/** Segments of `partition` that hold readings which the windows of the next hour reach back to. */
export function tailOf(partition: Partition, segments: readonly SegmentItem[], tail: number): SegmentItem[] {
  const from = partitionEnd(partition) - tail;
  return tail === 0 ? [] : segments.filter(({ newestEvent }) => newestEvent >= from);
}

function proposal(request: FreezeRequest, generation: number): GenerationInputs {
  const byKey = (a: SegmentItem, b: SegmentItem): number => (a.key < b.key ? -1 : 1);
  const segments = [...request.segments].sort(byKey).map(segmentReference);
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  return {
    useCase: request.partition.useCase,
    hour: partitionHour(request.partition),
    generation,
    codeVersion: request.codeVersion,
    buckets: Math.max(1, Math.ceil(rows / request.rowsPerBucket)),
    segments,
    tailSegments: [...request.tailSegments].sort(byKey).map(segmentReference),
  };
}

export async function readInputs(
  objects: ObjectStore,
  partition: Partition,
  generation: number,
): Promise<GenerationInputs | undefined> {
  const bytes = await objects.get(inputsKey(partition, generation));
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString('utf8')) as GenerationInputs);
}

/** True where every segment of `previous` is in `next`: a newer generation may never lose a reading. */
export function isSuperset(next: readonly SegmentReference[], previous: readonly SegmentReference[]): boolean {
  const keys = new Set(next.map(({ key }) => key));
  return previous.every(({ key }) => keys.has(key));
}

/**
 * Opens the generation after the newest sealed one, or joins the one that is open. One that another build opened and
 * did not seal cannot be finished by this build: it is left, and the next number is opened, which the registry hears of
 * first ({@link generationMark}).
 * @returns undefined where the set is no superset of the generation before (the registry was read too early): later.
 */
export async function freeze(
  objects: ObjectStore,
  registry: Pick<RegistryStore, 'write'>,
  request: FreezeRequest,
): Promise<Frozen | undefined> {
  const { partition, sealed, codeVersion } = request;
  let { previous } = request;
  for (let generation = sealed + 1; ; generation++) {
    const inputs = proposal(request, generation);
    if (previous !== undefined && !isSuperset(inputs.segments, previous.segments)) return undefined;
    if (generation > sealed + 1) await registry.write({ put: { ...generationMark(partition, generation) } });
    const body = Buffer.from(`${JSON.stringify(inputs)}\n`);
    if ((await objects.create(inputsKey(partition, generation), body, {})) === 'created')
      return { inputs, fresh: true };
    const winner = await readInputs(objects, partition, generation);
    if (winner === undefined) return undefined;
    if (winner.codeVersion === codeVersion) return { inputs: winner, fresh: false };
    previous = winner;
  }
}
