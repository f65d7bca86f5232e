import type { Caller, Clock, HttpRequest, HttpResponse } from '../../gateway/service';
import type { S3Store } from './store';

export interface RequestContext {
  readonly store: S3Store;
  readonly clock: Clock;
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly bucket: string;
  readonly key: string;
}

export type Operation = (context: RequestContext) => Promise<HttpResponse>;

export function noContent(): HttpResponse {
  return { status: 204, headers: {} };
}

export async function readText(request: HttpRequest): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of request.body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
