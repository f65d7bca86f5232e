import type { KclService } from '../compute/kcl-service';
import type { LeaseTable } from '../compute/lease-table';
import type { ErrorRedrive } from '../iot/error-redrive';
import type { TelemetryRule } from '../iot/telemetry-rule';
import type { PartitionRegistry } from '../lake/partition-registry';
import type { TelemetryStream } from '../stream/telemetry-stream';
import type { PartitionTrigger } from '../training/partition-trigger';
import type { TrainingPipeline } from '../training/training-pipeline';

/** What alarms and dashboard look at, in the order of a reading's way. */
export interface PipelineParts {
  readonly rules: readonly TelemetryRule[];
  readonly errorRedrive: ErrorRedrive;
  readonly stream: TelemetryStream;
  readonly consumer: KclService;
  readonly leases: LeaseTable;
  readonly registry: PartitionRegistry;
  readonly trigger: PartitionTrigger;
  readonly pipelines: readonly TrainingPipeline[];
}
