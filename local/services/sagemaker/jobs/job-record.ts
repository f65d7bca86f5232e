/** Job records as the Describe operations return them; times are epoch seconds, as on the wire. */
export interface JobRecord {
  readonly kind: 'training' | 'processing';
  readonly name: string;
  readonly arn: string;
  /** Epoch milliseconds. */
  readonly creationTime: number;
  readonly status: 'InProgress' | 'Completed' | 'Failed' | 'Stopping' | 'Stopped';
  /** DescribeTrainingJob's or DescribeProcessingJob's output. */
  readonly description: Readonly<Record<string, unknown>>;
}
