/** JSON documents in the lake and artifact buckets. Field order is the order written; bytes are deterministic. */

/** `_inputs.json`: what a generation is folded from, fixed before any fold task starts. Create-only. */
export interface GenerationInputs {
  readonly useCase: string;
  /** `<dt>T<hour>` */
  readonly hour: string;
  readonly generation: number;
  readonly codeVersion: string;
  /**
   * Number of fold tasks. Each takes an equal range of device hashes, so that rows sorted by hash stand together:
   * a reading belongs to bucket `floor(deviceHash · buckets / 2^32)`.
   */
  readonly buckets: number;
  /** All registered segments of the partition; a superset of the previous generation's. */
  readonly segments: readonly SegmentReference[];
  /** Segments of the previous hour that rolling windows read; they are not counted and not sealed here. */
  readonly tailSegments: readonly SegmentReference[];
}

export interface SegmentReference {
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  /** sha256 of the segment's rows, hex; also in the object's metadata. */
  readonly contentHash: string;
  /** Where there is more than one: in file order, so that a fold task reads only what it needs. */
  readonly rowGroups?: readonly RowGroupRange[];
}

/** A Parquet row group: byte range [offset, offset + length), and the device hashes (32 bits, inclusive) in it. */
export interface RowGroupRange {
  readonly rows: number;
  readonly offset: number;
  readonly length: number;
  readonly firstHash: number;
  readonly lastHash: number;
}

/** `_manifest.json`: the seal of a generation. Create-only; its S3 event is what training waits for. */
export interface PartitionManifest {
  readonly useCase: string;
  readonly hour: string;
  readonly generation: number;
  readonly codeVersion: string;
  readonly segments: readonly SegmentReference[];
  readonly parts: readonly ManifestPart[];
  readonly counts: {
    /** Readings in the segments: `folded + duplicates`. */
    readonly registered: number;
    readonly folded: number;
    readonly duplicates: number;
    /** Feature rows over all parts. */
    readonly rows: number;
  };
  /** Per reading column: over the folded readings. */
  readonly quality: Readonly<Record<string, ColumnQuality>>;
  /** Over all parts; equal for generations with equal features. */
  readonly contentHash: string;
}

export interface ManifestPart {
  readonly key: string;
  readonly rows: number;
  readonly bytes: number;
  readonly contentHash: string;
}

export interface ColumnQuality {
  /** 0–1 */
  readonly nullShare: number;
  /** Undefined where every value is null. */
  readonly minimum?: number;
  readonly maximum?: number;
}

/** `dataset.json`, written by the PrepareDataset step beside the splits. */
export interface DatasetDescription {
  readonly useCase: string;
  readonly datasetHash: string;
  /** Columns of the split files, label first. */
  readonly columns: readonly string[];
  readonly rows: {
    readonly train: number;
    readonly validation: number;
    readonly test: number;
    /** Rows whose label lies beyond what was observed. */
    readonly censored: number;
    /** Rows between two splits, whose label reaches into the later one. */
    readonly embargoed: number;
    /** Rows that the use case's `where` leaves out. */
    readonly excluded: number;
  };
  /** Column means of train, in `columns` order: what drift is measured against. Null where every value is missing. */
  readonly trainMeans: readonly (number | null)[];
  readonly hours: readonly string[];
}

/** `evaluation.json`: the Evaluate step's report and the Condition step's property file. */
export interface EvaluationReport {
  readonly useCase: string;
  readonly datasetHash: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly gate: {
    readonly metric: string;
    readonly value: number;
    /** `at most 0.9` or `at least 0.7` */
    readonly limit: string;
    readonly passed: boolean;
    /** One sentence: which metric met or missed which limit. */
    readonly reason: string;
  };
}

/** One line of a quarantine object. */
export interface QuarantineEntry {
  readonly reason: string;
  /** The field at fault, where there is one. */
  readonly field?: string;
  /** What was expected, in words; never the payload's content. */
  readonly detail: string;
  readonly useCase: string;
  readonly device?: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  /** Index in an array payload; 0 for a single reading. */
  readonly element: number;
  /** Epoch milliseconds, where the envelope held it. */
  readonly received?: number;
  readonly arrival: number;
  /** Raw bytes at fault, base64: the array element's text, the payload, or the whole record. */
  readonly raw: string;
}
