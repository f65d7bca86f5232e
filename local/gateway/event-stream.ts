/**
 * A response as a stream of events, in AWS's binary framing.
 * Framing: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream;
 * headers of events and exceptions, initial-response: https://smithy.io/2.0/aws/amazon-eventstream.html
 */
import { crc32 } from 'node:zlib';
import type { Form } from './json-protocol';
import { AwsError } from './service';

export const EVENT_STREAM_CONTENT_TYPE = 'application/vnd.amazon.eventstream';

/** What a service's `call` gives instead of an object where the API answers with an event stream. */
export class EventStreamOutput {
  constructor(
    /** The event's shape name, such as `SubscribeToShardEvent`. */
    readonly eventType: string,
    /** Wire-shaped. An AwsError thrown here goes out as an exception event, the last one. */
    readonly events: AsyncIterator<unknown, void, void>,
  ) {}
}

const STRING = 7;
const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;

function encodeHeaders(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, text]) => {
      const value = Buffer.from(text);
      const head = Buffer.from([name.length, ...Buffer.from(name, 'latin1'), STRING, value.length >> 8, value.length]);
      return [head, value];
    }),
  );
}

/** One message: lengths and their CRC-32, headers, payload, CRC-32 of all before. Header names are ASCII. */
export function encodeMessage(headers: Readonly<Record<string, string>>, payload: Uint8Array): Buffer {
  const head = encodeHeaders(headers);
  const message = Buffer.allocUnsafe(PRELUDE_BYTES + head.length + payload.length + CHECKSUM_BYTES);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  message.set(head, PRELUDE_BYTES);
  message.set(payload, PRELUDE_BYTES + head.length);
  const end = message.length - CHECKSUM_BYTES;
  message.writeUInt32BE(crc32(message.subarray(0, end)), end);
  return message;
}

type PayloadForm = Pick<Form, 'contentType' | 'encode'>;

function message(form: PayloadForm, kind: Readonly<Record<string, string>>, payload: unknown): Buffer {
  return encodeMessage({ ...kind, ':content-type': form.contentType }, Buffer.from(form.encode(payload)));
}

function eventMessage(form: PayloadForm, type: string, payload: unknown): Buffer {
  return message(form, { ':message-type': 'event', ':event-type': type }, payload);
}

function exceptionMessage(form: PayloadForm, error: unknown): Buffer {
  const [code, text] =
    error instanceof AwsError
      ? [error.code, error.message]
      : ['InternalFailureException', error instanceof Error ? error.message : 'a defect of the local service'];
  return message(form, { ':message-type': 'exception', ':exception-type': code }, { message: text });
}

/** The body: an empty initial-response, then the events as they come. Ends the service's iterator in any case. */
export async function* encodeEventStream(
  output: EventStreamOutput,
  form: PayloadForm,
): AsyncGenerator<Buffer, void, void> {
  const { events, eventType } = output;
  // Begun before anything is written: an iterator that never began would not clean up where the client leaves at once.
  let next = events.next();
  next.catch(() => undefined);
  try {
    yield eventMessage(form, 'initial-response', {});
    for (let event = await next; event.done !== true; event = await next) {
      yield eventMessage(form, eventType, event.value);
      next = events.next();
      next.catch(() => undefined);
    }
  } catch (error) {
    yield exceptionMessage(form, error);
  } finally {
    await events.return?.();
  }
}
