/**
 * The acceptance cases, taken from the behaviour of KCL's own tests: each has a test that names the KCL test class it mirrors, in its
 * title or in that of its `describe`. Where users of KCL complain about that behaviour the case is the opposite (`ours`).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

const TAKER = 'leases/lease-taker.test.ts';
const RENEWER = 'leases/lease-renewer.test.ts';
const SYNCER = 'shards/hierarchical-shard-syncer.test.ts';
const AUDIT = 'shards/periodic-shard-sync-manager.test.ts';
const CONSUMER = 'lifecycle/shard-consumer.test.ts';
const FAN_OUT = 'retrieval/fanout/fan-out-records-publisher.test.ts';
const ASSIGNMENT = 'coordinator/lease-assignment.test.ts';
const MANAGER = 'coordinator/lease-assignment-manager.test.ts';

/** KCL's test class, what happens, and the beginning of the title of the test here. */
const CASES: readonly (readonly [kcl: string, what: string, file: string, title: string])[] = [
  [
    'DynamoDBLeaseTakerIntegrationTest',
    'row unowned, first scan: taken',
    TAKER,
    'an unowned row is taken at the first',
  ],
  [
    'DynamoDBLeaseTakerIntegrationTest',
    'new row of another: none, then taken',
    TAKER,
    'a new row of another’s is left at',
  ],
  ['DynamoDBLeaseTakerIntegrationTest', 'own lease expired: taken again', TAKER, 'an own lease that expired is taken'],
  [
    'DynamoDBLeaseTakerIntegrationTest',
    '3 unowned and 1: with and without priority',
    TAKER,
    '3 unowned and 1 of another’s',
  ],
  ['DynamoDBLeaseTakerIntegrationTest', '1 unowned and bar 3: no steal', TAKER, '1 unowned and another with 3'],
  ['DynamoDBLeaseTakerTest', 'very old is more than 3F', TAKER, 'idle for 3F and a bit is very old'],
  ['DynamoDBLeaseRenewerIntegrationTest', 'another takes lease 2', RENEWER, 'another worker takes lease 2'],
  ['DynamoDBLeaseRenewerIntegrationTest', 'no renewal for F', RENEWER, 'not renewed for a failover time'],
  ['DynamoDBLeaseRenewerTest', 'DynamoDB fails during a checkpoint', RENEWER, 'DynamoDB fails during a checkpoint'],
  ['DynamoDBLeaseRenewerIntegrationTest', 'start with an own row in handoff', RENEWER, 'start: own rows are renewed'],
  ['DynamoDBLeaseRefresherTest', 'checkpointOwner = me: adopts', RENEWER, 'a row whose checkpointOwner is now'],
  ['DynamoDBLeaseRefresherTest', 'other entities on the first page', RENEWER, 'pages of other entities before'],
  ['HierarchicalShardSyncerTest', 'graph A, some leases', SYNCER, 'graph A, leases %j, %s: creates %j'],
  ['HierarchicalShardSyncerTest', 'graph A, nothing to create', SYNCER, 'graph A, leases {4,5,6,7} or {0,1,4,7,9,10}'],
  ['HierarchicalShardSyncerTest', 'graph A, empty table', SYNCER, 'graph A without leases'],
  ['HierarchicalShardSyncerTest', 'child of an open parent', SYNCER, 'child of an open parent: an error'],
  ['PeriodicShardSyncManagerTest', 'the same hole 1, 2, 3 times', AUDIT, 'the same hole once and twice'],
  ['PeriodicShardSyncManagerTest', 'a shifting hole', AUDIT, 'a hole that shifts, or closes'],
  ['PeriodicShardSyncManagerTest', 'a hole due to SHARD_END', AUDIT, 'rows at SHARD_END cover nothing'],
  ['PeriodicShardSyncManagerTest', 'missing hash keys', AUDIT, 'missing hash keys are filled'],
  ['PeriodicShardSyncManagerTest', '1000 random reshard trees', SYNCER, '1000 trees with rows of any'],
  ['ShutdownTaskTest', 'shardEnded without a checkpoint', CONSUMER, 'shardEnded without a checkpoint'],
  ['ShutdownTaskTest', 'SHARD_END but the lease is lost', CONSUMER, 'the shard ended but the lease is no'],
  ['BlockOnParentShardTaskTest', 'one of two parents at SHARD_END', CONSUMER, 'one of two parents at SHARD_END'],
  ['LeaseCleanupManagerTest', 'both children past their start', AUDIT, 'a row is completed when both'],
  ['LeaseCleanupManagerTest', 'shard gone from the stream', AUDIT, 'held rows are deleted oldest first'],
  ['ProcessTaskTest', 'aggregate, checkpoint X.1: only X.2', CONSUMER, 'an aggregated record and a checkpoint'],
  [
    'AggregatorUtilTest',
    'wrong MD5, truncated, bad protobuf',
    'retrieval/deaggregate.test.ts',
    '%s: delivered raw, once',
  ],
  [
    'ShardShardRecordProcessorCheckpointerTest',
    'below the last or above the largest',
    'checkpoint/record-processor-checkpointer.test.ts',
    'positions below the last checkpoint',
  ],
  [
    'ShardShardRecordProcessorCheckpointerTest',
    'negative sub-sequence',
    'checkpoint/record-processor-checkpointer.test.ts',
    'malformed position %j is rejected',
  ],
  ['KinesisDataFetcherTest', 'expired iterator', 'retrieval/polling.test.ts', 'an expired iterator: reading resumes'],
  ['PrefetchRecordsPublisherTest', 'queue full', 'retrieval/polling.test.ts', 'the queue full by %s'],
  ['PrefetchRecordsPublisherTest', 'reset clears', 'retrieval/polling.test.ts', 'stop frees the memory of queued'],
  ['FanOutRecordsPublisherTest', 'event of an old subscription', FAN_OUT, 'a silent subscription is given up'],
  ['FanOutRecordsPublisherTest', 'read timeout', FAN_OUT, 'a subscription that is not answered'],
  ['FanOutRecordsPublisherTest', 'ResourceNotFound is shard end', FAN_OUT, 'a shard that is gone from the stream'],
  ['ShardConsumerSubscriberTest', 'no response: from the last accepted', FAN_OUT, 'a silent subscription is given up'],
  ['ShardConsumerTest', 'lease lost while processing', CONSUMER, 'lease lost while processing'],
  ['LeaseAssignmentManagerTest', 'a hot and a cool worker at 0 KB/s', ASSIGNMENT, '10 leases at 0 KB/s'],
  ['LeaseAssignmentManagerTest', 'variance balancing in runs 1, 4, 7', MANAGER, 'every 20 s with a balancing interval'],
  ['LeaseAssignmentManagerTest', 'failed or old metrics', ASSIGNMENT, 'a worker whose last measurement failed'],
  ['LeaseAssignmentManagerTest', '3 failed runs', MANAGER, 'three runs in a row that fail'],
  ['GracefulShutdownCoordinatorTest', 'no leases', 'scheduler.test.ts', 'shutdown with no leases resolves'],
  ['GracefulShutdownCoordinatorTest', 'slow processor', 'scheduler.test.ts', 'a processor slower than the wait'],
  ['ours', 'processRecords throws', CONSUMER, 'processRecords throws: the same batch again'],
  ['ours', 'SIGTERM: unowned within a second', CONSUMER, 'SIGTERM: the row is unowned within'],
  ['ours', 'SIGTERM: the peer resumes at once', 'scheduler.test.ts', 'a graceful shutdown drains, checkpoints'],
  ['ours', '15 s of CPU', '../long/blocked-event-loop.test.ts', '15 s of CPU in processRecords with'],
  ['ours', 'the same, scaled down', 'workers/blocked-event-loop.test.ts', 'user code blocks the event loop'],
];

test.each(CASES)('%s: %s', (kcl, _what, file, title) => {
  const source = readFileSync(path.join(__dirname, file), 'utf8');
  const start = source.indexOf(`'${title}`);
  expect({ file, title, found: start >= 0 }).toEqual({ file, title, found: true });
  if (kcl === 'ours') return;
  const whole = source.slice(start, source.indexOf('\n', start));
  const describes = source.slice(0, start).match(/^describe.*$/gm) ?? [];
  expect(`${describes.at(-1) ?? ''} ${whole}`).toContain(kcl);
});
