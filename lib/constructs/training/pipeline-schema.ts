/**
 * Types of a SageMaker Pipelines definition (version 2020-12-01), as far as used here. Step arguments are the bodies
 * of CreateProcessingJob, CreateTrainingJob and CreateModelPackage without the names that the service chooses.
 */

/** A literal, a reference to a parameter, an execution variable or a step's property, or a function of such. */
export type Value =
  | string
  | number
  | boolean
  | { readonly Get: string }
  | { readonly 'Std:Join': { readonly On: string; readonly Values: readonly Value[] } }
  | { readonly 'Std:JsonGet': { readonly PropertyFile: { readonly Get: string }; readonly Path: string } };

export interface PipelineDefinition {
  readonly Version: '2020-12-01';
  readonly Metadata: Readonly<Record<string, string>>;
  readonly Parameters: readonly ParameterDeclaration[];
  readonly Steps: readonly Step[];
}

export interface ParameterDeclaration {
  readonly Name: string;
  readonly Type: 'String' | 'Integer' | 'Float' | 'Boolean';
  readonly DefaultValue?: string | number | boolean;
}

export type Step = ProcessingStep | TrainingStep | ConditionStep | RegisterModelStep | FailStep;

interface StepBase {
  /** `[A-Za-z0-9\-_]{1,64}`, unique in the pipeline, branches included. */
  readonly Name: string;
}

interface JobStep extends StepBase {
  readonly Arguments: Readonly<Record<string, unknown>>;
  readonly CacheConfig: { readonly Enabled: boolean; readonly ExpireAfter: string };
  readonly RetryPolicies: readonly RetryPolicy[];
}

export interface ProcessingStep extends JobStep {
  readonly Type: 'Processing';
  /** Outputs that later steps read by `Std:JsonGet`. */
  readonly PropertyFiles?: readonly {
    readonly PropertyFileName: string;
    readonly OutputName: string;
    readonly FilePath: string;
  }[];
}

export interface TrainingStep extends JobStep {
  readonly Type: 'Training';
}

export interface ConditionStep extends StepBase {
  readonly Type: 'Condition';
  readonly Arguments: {
    /** All must hold. */
    readonly Conditions: readonly { readonly Type: 'Equals'; readonly LeftValue: Value; readonly RightValue: Value }[];
    readonly IfSteps: readonly Step[];
    readonly ElseSteps: readonly Step[];
  };
}

export interface RegisterModelStep extends StepBase {
  readonly Type: 'RegisterModel';
  readonly Arguments: Readonly<Record<string, unknown>>;
  readonly RetryPolicies: readonly RetryPolicy[];
}

export interface FailStep extends StepBase {
  readonly Type: 'Fail';
  readonly Arguments: { readonly ErrorMessage: Value };
}

/** Either MaxAttempts (at most 20) or ExpireAfterMin (at most 14,400). RegisterModel takes the `Step.` types only. */
export interface RetryPolicy {
  readonly ExceptionType: readonly (
    | 'Step.SERVICE_FAULT'
    | 'Step.THROTTLING'
    | 'SageMaker.JOB_INTERNAL_ERROR'
    | 'SageMaker.CAPACITY_ERROR'
    | 'SageMaker.RESOURCE_LIMIT'
  )[];
  readonly IntervalSeconds: number;
  readonly BackoffRate: number;
  readonly MaxAttempts?: number;
  readonly ExpireAfterMin?: number;
}
