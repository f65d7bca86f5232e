/** What is kept of an execution: enough to describe it, and to go on with it after a restart. */
import type { ParameterValue } from './definition';

export type ExecutionStatus = 'Executing' | 'Stopping' | 'Stopped' | 'Failed' | 'Succeeded';
export type StepStatus = 'Starting' | 'Executing' | 'Stopping' | 'Stopped' | 'Failed' | 'Succeeded';

export interface StepRecord {
  readonly name: string;
  readonly type: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly status: StepStatus;
  /** Epoch milliseconds. */
  readonly startTime: number;
  readonly endTime?: number;
  readonly failureReason?: string;
  /** Attempts begun. */
  readonly attempts: number;
  /** As ListPipelineExecutionSteps shows it. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** What `Steps.<name>.` resolves against. */
  readonly properties?: unknown;
  readonly cacheKey?: string;
  /** ARN of the execution whose result was taken over. */
  readonly cacheSource?: string;
}

export interface ExecutionRecord {
  readonly arn: string;
  readonly id: string;
  readonly pipelineName: string;
  readonly pipelineArn: string;
  readonly roleArn: string;
  readonly displayName: string;
  readonly description?: string;
  readonly status: ExecutionStatus;
  readonly startTime: number;
  readonly lastModifiedTime: number;
  readonly endTime?: number;
  readonly failureReason?: string;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** As they were given, for DescribePipelineExecution's parameters list. */
  readonly givenParameters: readonly { readonly Name: string; readonly Value: string }[];
  /** The definition's text when the execution started. */
  readonly definition: string;
  readonly maxParallelSteps: number;
  readonly clientRequestToken?: string;
  readonly steps: readonly StepRecord[];
}

export function isTerminal(status: ExecutionStatus | StepStatus): boolean {
  return status === 'Succeeded' || status === 'Failed' || status === 'Stopped';
}
