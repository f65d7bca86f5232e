/** What wakes the function: the two events that its rules let through (lib/constructs/training/partition-trigger.ts). */
import { parseManifestKey, type Partition } from '../../lib/contracts/lake-layout';
import type { TrainingTarget } from '../../lib/contracts/training';

export type WakeUp =
  | {
      readonly kind: 'partition-sealed';
      readonly useCase: string;
      readonly partition: Partition;
      readonly generation: number;
    }
  | { readonly kind: 'execution-ended'; readonly useCase: string };

interface EventBridgeEvent {
  readonly source?: string;
  readonly detail?: {
    /** In EventBridge events a key stands as it is; S3's own notifications would encode it. */
    readonly object?: { readonly key?: string };
    readonly pipelineArn?: string;
  };
}

/**
 * @param body an EventBridge event, JSON
 * @throws Error where it is neither of the two, or of a use case that is not a target
 */
export function parseWakeUp(body: string, targets: Readonly<Record<string, TrainingTarget>>): WakeUp {
  const { source, detail } = JSON.parse(body) as EventBridgeEvent;
  if (source === 'aws.s3') {
    const manifest = parseManifestKey(detail?.object?.key ?? '');
    if (!manifest) throw new Error('detail.object.key is not the key of a partition manifest');
    const { partition, generation } = manifest;
    if (!Object.hasOwn(targets, partition.useCase))
      throw new Error(`use case ${partition.useCase} has no training target`);
    return { kind: 'partition-sealed', useCase: partition.useCase, partition, generation };
  }
  if (source === 'aws.sagemaker') {
    const name = detail?.pipelineArn?.split('/').pop();
    // SageMaker writes names in lower case into ARNs.
    const found = Object.entries(targets).find(
      ([, target]) => target.pipelineName.toLowerCase() === name?.toLowerCase(),
    );
    if (!found) throw new Error(`detail.pipelineArn names no pipeline of a training target: ${name ?? 'missing'}`);
    return { kind: 'execution-ended', useCase: found[0] };
  }
  throw new Error(`source must be aws.s3 or aws.sagemaker, got ${source ?? 'none'}`);
}
