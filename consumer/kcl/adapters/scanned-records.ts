/**
 * GetRecords through the SDK's client (its credentials, signature, endpoint, retries and errors), but with the response read
 * as bytes, and its records taken from them, before the client parses the rest.
 */
import type { GetRecordsCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import type { KinesisRecord } from '../dependencies';
import { scanGetRecords } from '../retrieval/data-plane/scan-get-records';
import type { HttpExchange, SignedRequest } from './http-exchange';

export interface ScannedRecords {
  /** Set when the command was sent. Absent where the response could not be scanned: the client's output has them then. */
  records?: readonly KinesisRecord[];
}

/** A client that was given another handler than its default one, for a proxy say, keeps it, and parses as always. */
export function usesDefaultHandler(client: KinesisClient): boolean {
  const { metadata } = client.config.requestHandler as { metadata?: { handlerProtocol?: string } };
  return metadata?.handlerProtocol === 'h2';
}

/** Puts itself in the place of the command's HTTP handler. */
export function scanRecordsOf(
  command: GetRecordsCommand,
  exchange: HttpExchange,
  signal?: AbortSignal,
): ScannedRecords {
  const scanned: ScannedRecords = {};
  command.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as {
        readonly hostname: string;
        readonly port?: number;
        headers: Record<string, string>;
      };
      // The client names the host in HTTP/2's way, and signs that.
      delete request.headers[':authority'];
      request.headers['host'] = request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'hostOfHttp1' },
  );
  command.middlewareStack.add(
    () => async (args) => {
      const received = await exchange.send(args.request as SignedRequest, signal);
      const { statusCode, headers } = received;
      const found = statusCode === 200 ? scanGetRecords(received.body) : undefined;
      if (found) scanned.records = found.records;
      // The client's deserializer takes bytes for a body that was read already.
      const body = found?.rest ?? new Uint8Array(received.body);
      exchange.giveBack(received);
      return { response: { statusCode, headers, body }, output: undefined as never };
    },
    // The last of the step, and so where the handler would be called: nothing of the client comes after it.
    { step: 'deserialize', priority: 'low', name: 'scanRecords' },
  );
  return scanned;
}
