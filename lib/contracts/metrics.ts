/** The consumer's own CloudWatch metrics (embedded metric format, namespace METRICS_NAMESPACE, no dimensions). Unit: count. */
export const ConsumerMetric = {
  /** Readings committed to the lake. */
  readingsCommitted: 'ReadingsCommitted',
  /** Records and array elements put under `quarantine/`. */
  readingsQuarantined: 'ReadingsQuarantined',
  /** Ranges of a shard that the stream had trimmed before they were read: lost data. */
  streamGaps: 'StreamGaps',
  partitionsSealed: 'PartitionsSealed',
  /** Fold tasks set aside after three failed attempts. */
  foldTasksParked: 'FoldTasksParked',
} as const;
