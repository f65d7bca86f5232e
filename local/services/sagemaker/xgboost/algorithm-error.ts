/** What ends a training container, and how the service words it in FailureReason. */
export class AlgorithmError extends Error {
  constructor(
    message: string,
    /** `user`: data or configuration, exit code 2. `algorithm`: a fault of the trainer, exit code 1. */
    readonly fault: 'user' | 'algorithm' = 'user',
  ) {
    super(message);
    this.name = 'AlgorithmError';
  }

  get failureReason(): string {
    return this.fault === 'user'
      ? `ClientError: ${this.message}, exit code: 2`
      : `AlgorithmError: ${this.message}, exit code: 1`;
  }
}
