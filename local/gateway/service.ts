/** What the gateway and the local services agree on. A service is an engine that knows nothing of HTTP. */

import type { CborMembers } from './cbor';

/** An error in the service's own terms; the gateway writes it in the service's protocol. */
export class AwsError extends Error {
  constructor(
    /** The error's shape name, such as `ResourceNotFoundException`. */
    readonly code: string,
    message: string,
    readonly status = 400,
    /** Further members of the error's shape, such as `Item` of ConditionalCheckFailedException. */
    readonly members: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = code;
  }
}

/** An injected fault: the call took effect and its answer is lost. The gateway closes the connection without a response. */
export class ResponseDropped extends Error {
  constructor(operation: string) {
    super(`the response to ${operation} was dropped by an injected fault`);
    this.name = 'ResponseDropped';
  }
}

/** Who calls: credentials name the role they were given for. */
export interface Caller {
  readonly accessKeyId: string;
  /** ARN of the role, or the account's root for the person's own commands. */
  readonly principalArn: string;
}

/** A service of the AWS JSON protocols (1.0, 1.1): `X-Amz-Target: <prefix>.<operation>`, wire-shaped objects. */
export interface JsonService {
  /** SigV4 signing name: kinesis, dynamodb, events, … */
  readonly name: string;
  readonly protocol: 'json-1.0' | 'json-1.1';
  /** Where the service also speaks CBOR. */
  readonly cbor?: CborMembers;
  /**
   * Wire-shaped input and output: blobs are base64 strings, timestamps are epoch seconds. Where the API answers with an
   * event stream, the output is an EventStreamOutput.
   * @throws AwsError; `UnknownOperationException` for an operation that the engine does not have.
   */
  call(operation: string, input: Record<string, unknown>, caller: Caller): Promise<unknown>;
}

export interface HttpRequest {
  readonly method: string;
  /** Still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

/** A service of a REST protocol (s3, iot): it reads and writes HTTP itself. */
export interface RestService {
  readonly name: string;
  readonly protocol: 'rest';
  handle(request: HttpRequest, caller: Caller): Promise<HttpResponse>;
  /** Name of the API operation, for the request log and faults; without it they have method and path. @throws AwsError */
  operationOf?(request: HttpRequest): string;
  /** The service's own error body; the gateway calls it for an AwsError that `handle` threw. */
  renderError(error: AwsError, requestId: string): HttpResponse;
}

export type AwsService = JsonService | RestService;

/** Time for engines and runners; the simulator and tests inject their own. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls back once after `ms`; the returned function cancels. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
