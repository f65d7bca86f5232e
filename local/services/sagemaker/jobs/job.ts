/** A job under way: what the pipeline waits for and can stop. */
export interface RunningJob {
  readonly name: string;
  readonly arn: string;
  /** Resolves with the job's Describe output, rejects with StepFailure. */
  readonly done: Promise<Record<string, unknown>>;
  stop(): void;
}

/** Jobs of one kind, by the body of their Create operation. */
export interface JobRunner {
  /** @throws AwsError ValidationException where the request breaks the API's limits. */
  start(name: string, request: Readonly<Record<string, unknown>>): RunningJob;
}
