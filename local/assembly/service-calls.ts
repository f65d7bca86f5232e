/** How provisioning reaches the services: by their own APIs, and by what CloudFormation does that no API here does. */
import type { FunctionDefinition } from '../services/lambda/lambda-service';
import { AwsError } from '../gateway/service';
import type { QueueMappingRequest } from './resources/lambda';

export interface ServiceCalls {
  /** An operation of a service of the JSON protocols. @throws AwsError */
  json(service: string, operation: string, input: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** A request to a REST service; the answer's body as text. @throws AwsError */
  rest(service: string, request: RestRequest): Promise<string>;
  /** Gives the role credentials of its own. */
  registerRole(roleArn: string): void;
  putFunction(definition: FunctionDefinition): Promise<void>;
  putQueueMapping(mapping: QueueMappingRequest): void;
  /** Folder or file of a file asset. */
  fileAsset(objectKey: string): string | undefined;
}

export interface RestRequest {
  readonly method: string;
  /** Percent-encoded, with the query. */
  readonly path: string;
  /** Sent as it is where it is text, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The call's answer, or undefined where it failed with one of the codes: the resource exists already, or does not.
 * @throws AwsError of any other code
 */
export async function unless<Answer>(codes: readonly string[], call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AwsError && codes.includes(error.code)) return undefined;
    throw error;
  }
}
