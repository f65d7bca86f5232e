/**
 * The AWS JSON protocols 1.0 and 1.1: `POST /`, the operation in X-Amz-Target, errors as `__type` and message. A service that has a
 * CBOR form answers in the form it was asked in.
 * @see https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
 */
import { CBOR_CONTENT_TYPE, decodeCbor, encodeCbor } from './cbor';
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

/** Of the request, and so of the answer. */
export interface Form {
  readonly contentType: string;
  /** @throws AwsError `SerializationException` */
  decode(body: Buffer): unknown;
  encode(value: unknown): Uint8Array | string;
}

/** Without a service (nobody known was called), JSON 1.1. */
export function formOf(request: HttpRequest, service?: JsonService): Form {
  const contentType = service?.protocol === 'json-1.0' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1';
  const cbor = request.headers['content-type'] === CBOR_CONTENT_TYPE ? service?.cbor : undefined;
  if (cbor === undefined) return { contentType, decode: parseJson, encode: (value) => JSON.stringify(value) };
  return { contentType: CBOR_CONTENT_TYPE, decode: decodeCbor, encode: (value) => encodeCbor(value, cbor) };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AwsError('SerializationException', 'The request body is not JSON');
  }
}

/** @throws AwsError `SerializationException` for a body that is not an object. */
export async function readInput(request: HttpRequest, form: Form): Promise<Record<string, unknown>> {
  const body = await readBody(request.body);
  if (body.length === 0) return {};
  const input = form.decode(body);
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new AwsError('SerializationException', 'The request body is not an object');
  }
  return input as Record<string, unknown>;
}

export function renderOutput(form: Form, output: unknown): HttpResponse {
  if (output instanceof EventStreamOutput) {
    return {
      status: 200,
      headers: { 'content-type': EVENT_STREAM_CONTENT_TYPE },
      body: encodeEventStream(output, form),
    };
  }
  return { status: 200, headers: { 'content-type': form.contentType }, body: form.encode(output ?? {}) };
}

export function renderJsonError(error: AwsError, form: Form): HttpResponse {
  return {
    status: error.status,
    headers: { 'content-type': form.contentType, 'x-amzn-errortype': error.code },
    body: form.encode({ __type: error.code, message: error.message, ...error.members }),
  };
}
