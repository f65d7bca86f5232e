import * as path from 'node:path';
import { type Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogLevel, NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';

export interface NodeFunctionProps {
  readonly description: string;
  /** Folder under lambda/ whose index.ts exports `handler`. */
  readonly folder: string;
  readonly environment: Record<string, string>;
  readonly timeout: Duration;
  readonly logRetention: Duration;
  /** @default 256 */
  readonly memorySize?: number;
}

/**
 * A function in TypeScript with a log group and a role of its own: the managed policy for basic execution would let it
 * write to any log group. The AWS SDK is bundled, so that what was tested is what runs.
 */
export function nodeFunction(scope: Construct, id: string, props: NodeFunctionProps): NodejsFunction {
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: props.logRetention.toDays(),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  logGroup.grantWrite(role);
  const root = path.join(__dirname, '../../..');
  return new NodejsFunction(scope, id, {
    description: props.description,
    entry: path.join(root, 'lambda', props.folder, 'index.ts'),
    environment: props.environment,
    timeout: props.timeout,
    memorySize: props.memorySize ?? 256,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    role,
    logGroup,
    awsSdkConnectionReuse: false,
    projectRoot: root,
    depsLockFilePath: path.join(root, 'package-lock.json'),
    bundling: {
      // The local run calls the same bundle on the Node that it runs on.
      target: 'node20',
      externalModules: [],
      // The ES modules of the AWS SDK can be tree-shaken: less than half the size.
      mainFields: ['module', 'main'],
      logLevel: LogLevel.WARNING,
    },
  });
}
