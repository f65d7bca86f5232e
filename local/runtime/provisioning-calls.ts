/** How provisioning reaches the services of this run: as CloudFormation's role, and logged like every call. */
import { ACCOUNT_ID, REGION } from '../assembly/names';
import type { Assembly } from '../assembly/assembly';
import type { QueueMappingRequest } from '../assembly/resources/lambda';
import type { RestRequest, ServiceCalls } from '../assembly/service-calls';
import type { CredentialRegistry } from '../gateway/credentials';
import type { Gateway } from '../gateway/gateway';
import type { LambdaService } from '../services/lambda/lambda-service';

/** The role that `cdk bootstrap` makes for deployments. */
const DEPLOYMENT_ROLE = `arn:aws:iam::${ACCOUNT_ID}:role/cdk-hnb659fds-cfn-exec-role-${ACCOUNT_ID}-${REGION}`;

export interface CallsOptions {
  readonly gateway: Gateway;
  readonly credentials: CredentialRegistry;
  readonly lambda: LambdaService;
  readonly assembly: Assembly;
}

/** @param mappings takes the event source mappings; they start when everything is provisioned */
export function provisioningCalls(options: CallsOptions, mappings: QueueMappingRequest[]): ServiceCalls {
  const { gateway, credentials, lambda, assembly } = options;
  const caller = credentials.callerOf(DEPLOYMENT_ROLE);
  return {
    json: async (service, operation, input) =>
      ((await gateway.invoke(service, operation, { ...input }, caller)) ?? {}) as Record<string, unknown>,
    rest: (service, request) => gateway.invokeRest(service, toHttp(request), caller),
    registerRole: (roleArn) => void credentials.issue(roleArn),
    putFunction: (definition) => lambda.putFunction(definition),
    putQueueMapping: (mapping) => void mappings.push(mapping),
    fileAsset: (objectKey) => assembly.fileAsset(objectKey),
  };
}

function toHttp({ method, path, body, headers = {} }: RestRequest): Parameters<Gateway['invokeRest']>[1] {
  const mark = path.indexOf('?');
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return {
    method,
    path: mark === -1 ? path : path.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : path.slice(mark + 1)),
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      host: 'localhost',
      ...headers,
    },
    body: (async function* () {
      yield Buffer.from(text);
    })(),
  };
}
