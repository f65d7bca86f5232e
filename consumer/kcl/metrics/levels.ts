/** Which of the metrics are worth their price. The levels are those of KCL 3.5's own code. */

/** KCL's MetricsLevel: nothing; what tells whether the fleet is well; everything. */
export type MetricsLevel = 'NONE' | 'SUMMARY' | 'DETAILED';

/** Operation → its metrics of level DETAILED; those that are not named are SUMMARY. A name ending in a dot stands for all that begin so. */
const DETAILED: Readonly<Record<string, readonly string[]>> = {
  ProcessTask: ['KinesisDataFetcher.', 'UpdateLease.'],
  FanOutRecordsPublisher: ['subscribeToShard.'],
  RenewAllLeases: ['RenewLease.'],
  TakeLeases: ['LeasesToTake', 'NeededLeases', 'TotalLeases', 'ListLeases.', 'TakeLease.'],
  LeaseAssignmentManager: [
    'FailedAssignmentCount',
    'LeaseAndWorkerMetricsLoad.',
    'AssignExpiredOrUnassignedLeases.',
    'BalanceWorkerVariance.',
    'ParallelyAssignLeases.',
  ],
  LeaseDiscovery: ['NewLeasesDiscovered', 'OwnerMismatch', 'FetchNewLeases.', 'ListLeaseKeysForWorker.'],
};

export function isPublished(level: MetricsLevel, operation: string, name: string): boolean {
  if (level === 'NONE') return false;
  if (level === 'DETAILED') return true;
  return !DETAILED[operation]?.some((each) => (each.endsWith('.') ? name.startsWith(each) : name === each));
}
