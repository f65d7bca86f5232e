/** States and shutdown reasons of a shard's consumer, as in KCL's ConsumerStates. */

export type ConsumerState =
  'WAITING_ON_PARENT_SHARDS' | 'INITIALIZING' | 'PROCESSING' | 'SHUTTING_DOWN' | 'SHUTDOWN_COMPLETE';

/** Why a consumer stops. A later reason replaces an earlier one only if it ranks higher. */
export type ShutdownReason = 'REQUESTED' | 'SHARD_END' | 'LEASE_LOST';

const RANK: Readonly<Record<ShutdownReason, number>> = { REQUESTED: 1, SHARD_END: 2, LEASE_LOST: 3 };

export function escalate(current: ShutdownReason | undefined, next: ShutdownReason): ShutdownReason {
  return current !== undefined && RANK[current] >= RANK[next] ? current : next;
}
