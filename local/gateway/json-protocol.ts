/**
 * The AWS JSON protocols 1.0 and 1.1: `POST /`, the operation in X-Amz-Target, errors as `__type` and message.
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
import { encodeEventStream, EventStreamOutput, EVENT_STREAM_CONTENT_TYPE } from './event-stream';
import { AwsError } from './service';
import type { HttpRequest, HttpResponse, JsonService } from './service';

/** A PutRecords request is at most 10 MiB of data, in base64. */
const MAXIMUM_BODY_BYTES = 32 * 2 ** 20;

/** @throws AwsError `RequestEntityTooLarge` beyond 32 MiB. */
export async function readBody(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAXIMUM_BODY_BYTES) {
      throw new AwsError('RequestEntityTooLarge', `The request is larger than ${MAXIMUM_BODY_BYTES} bytes`, 413);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * `Kinesis_20131202.PutRecord` → `PutRecord`.
 * @throws AwsError `UnknownOperationException` where the header is missing.
 */
export function readOperation(request: HttpRequest): string {
  const target = request.headers['x-amz-target'];
  const operation = target?.slice(target.lastIndexOf('.') + 1);
  if (operation === undefined || operation === '') {
    throw new AwsError('UnknownOperationException', 'The request has no X-Amz-Target header');
  }
  return operation;
}

/** @throws AwsError `SerializationException` for a body that is not a JSON object. */
export async function readInput(request: HttpRequest): Promise<Record<string, unknown>> {
  const text = (await readBody(request.body)).toString('utf8');
  if (text === '') return {};
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    throw new AwsError('SerializationException', 'The request body is not JSON');
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new AwsError('SerializationException', 'The request body is not a JSON object');
  }
  return input as Record<string, unknown>;
}

function contentType(service: JsonService): string {
  return service.protocol === 'json-1.0' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1';
}

export function renderOutput(service: JsonService, output: unknown): HttpResponse {
  if (output instanceof EventStreamOutput) {
    return {
      status: 200,
      headers: { 'content-type': EVENT_STREAM_CONTENT_TYPE },
      body: encodeEventStream(output),
    };
  }
  return {
    status: 200,
    headers: { 'content-type': contentType(service) },
    body: output === undefined || output === null ? '{}' : JSON.stringify(output),
  };
}

/** Without a service (nobody known was called), JSON 1.1. */
export function renderJsonError(error: AwsError, service?: JsonService): HttpResponse {
  return {
    status: error.status,
    headers: {
      'content-type': service === undefined ? 'application/x-amz-json-1.1' : contentType(service),
      'x-amzn-errortype': error.code,
    },
    body: JSON.stringify({ __type: error.code, message: error.message, ...error.members }),
  };
}
