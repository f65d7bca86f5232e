/**
 * A Kinesis client library for Node on the Kinesis Client Library's own lease table. The public API.
 */
import { dynamoFromSdk } from './adapters/dynamodb-sdk';
import { kinesisFromSdk } from './adapters/kinesis-sdk';
import { jsonLog, noMetrics, systemClock, systemDependencies } from './adapters/system';
import { renewalsInThread } from './workers/threaded-lease-holder';

export { Scheduler, type SchedulerOptions, type SchedulerStatus } from './scheduler';
export { EmfMetrics, type EmfOptions } from './metrics/emf';
export type { MetricsLevel } from './metrics/levels';
export type { InitialPosition, SchedulerConfig, SchedulerConfigInput } from './config';
export type { ClientVersionConfig } from './coordinator/fleet-mode';
export type { LeaseAssignmentStrategy } from './coordinator/fleet-view';
export type { ConsumerState, ShutdownReason } from './lifecycle/consumer-states';
export type {
  Clock,
  Dependencies,
  DynamoDbApi,
  KinesisApi,
  Log,
  LogFields,
  LogLevel,
  MetricsFactory,
  MetricsScope,
  WorkerMetric,
} from './dependencies';
export type {
  Checkpointer,
  FailurePolicy,
  InitializationInput,
  KinesisClientRecord,
  LeaseFence,
  ProcessRecordsInput,
  ShardInfo,
  ShardRecordProcessor,
  ShardRecordProcessorFactory,
  StartingPosition,
} from './processor';
export {
  ConfigurationError,
  DependencyError,
  InvalidArgumentError,
  InvalidStateError,
  ShutdownError,
  ThrottlingError,
} from './common/errors';
export {
  compareExtended,
  compareSequenceNumbers,
  isSentinel,
  Sentinel,
  type ExtendedSequenceNumber,
} from './common/extended-sequence-number';

/** What joins the library to the real world. */
export const adapters = {
  kinesisFromSdk,
  dynamoFromSdk,
  systemDependencies,
  systemClock,
  jsonLog,
  noMetrics,
  renewalsInThread,
};
