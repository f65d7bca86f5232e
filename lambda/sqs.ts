/** An SQS batch as the event source hands it over, and the answer that keeps only what failed in the queue. */

export interface SqsEvent {
  readonly Records: readonly SqsRecord[];
}

export interface SqsRecord {
  readonly messageId: string;
  readonly body: string;
  readonly attributes?: {
    /** When the message was sent, epoch milliseconds in decimal. */
    readonly SentTimestamp?: string;
  };
}

/** ReportBatchItemFailures: the named messages become visible again, the others are deleted. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

export function failuresOf(messageIds: Iterable<string>): SqsBatchResponse {
  return { batchItemFailures: [...new Set(messageIds)].map((itemIdentifier) => ({ itemIdentifier })) };
}

/** @throws Error that names the variable; its value never appears. */
export function requiredVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable ${name} is missing: the function's definition must set it`);
  return value;
}

/** One JSON line for CloudWatch Logs. Fields hold names, counts and hashes; never a payload. */
export function log(level: 'info' | 'error', message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  console.log(JSON.stringify({ level, message, ...fields }));
}

/** `<name>: <message>` of whatever was thrown. */
export function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
