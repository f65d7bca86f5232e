/** The service's EventBridge events. @see https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html */
import type { ExecutionRecord, StepRecord } from './pipeline/execution-record';
import type { SageMakerEvent } from './ports';

function iso(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function executionStatusEvent(
  execution: ExecutionRecord,
  previous: ExecutionRecord['status'] | undefined,
): SageMakerEvent {
  return {
    source: 'aws.sagemaker',
    'detail-type': 'SageMaker Model Building Pipeline Execution Status Change',
    resources: [execution.pipelineArn, execution.arn],
    detail: {
      pipelineExecutionDisplayName: execution.displayName,
      pipelineExecutionDescription: execution.description,
      currentPipelineExecutionStatus: execution.status,
      previousPipelineExecutionStatus: previous,
      executionStartTime: iso(execution.startTime),
      executionEndTime: iso(execution.endTime),
      pipelineArn: execution.pipelineArn,
      pipelineExecutionArn: execution.arn,
    },
  };
}

export function stepStatusEvent(
  execution: ExecutionRecord,
  step: StepRecord,
  previous: StepRecord | undefined,
): SageMakerEvent {
  return {
    source: 'aws.sagemaker',
    'detail-type': 'SageMaker Model Building Pipeline Execution Step Status Change',
    resources: [execution.pipelineArn, execution.arn],
    detail: {
      metadata: step.metadata,
      stepName: step.name,
      stepDisplayName: step.displayName,
      stepType: step.type,
      stepStartTime: iso(step.startTime),
      stepEndTime: iso(step.endTime),
      previousStepStatus: previous?.status,
      currentStepStatus: step.status,
      cacheHitResult: step.cacheSource === undefined ? undefined : { sourcePipelineExecutionArn: step.cacheSource },
      failureReason: step.failureReason,
      pipelineArn: execution.pipelineArn,
      pipelineExecutionArn: execution.arn,
    },
  };
}

/** @param modelPackage DescribeModelPackage's output */
export function modelPackageEvent(modelPackage: Readonly<Record<string, unknown>>): SageMakerEvent {
  const { CreationTime, ModelPackageArn } = modelPackage as { CreationTime: number; ModelPackageArn: string };
  return {
    source: 'aws.sagemaker',
    'detail-type': 'SageMaker Model Package State Change',
    resources: [ModelPackageArn],
    detail: { ...modelPackage, CreationTime: Math.round(CreationTime * 1000) },
  };
}
