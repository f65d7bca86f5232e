/** Opens the local run for a command: the one that is up over the state directory, or a new one in this process. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { LocalRun } from '../../local/runtime/local-run';
import { RUN } from '../../local/runtime/services';
import { useCases } from '../../use-cases';
import { buildApp } from '../app';
import { UserError } from './command-line';
import { PipelineStatus } from './pipeline-status';
import {
  DEVICE_POLICY_OUTPUT,
  findRunning,
  localAuthority,
  localCredentials,
  localFleet,
  localRegion,
  type Target,
} from './target';
import type { ProgressDisplay } from './terminal';

export interface SessionOptions {
  readonly stateDirectory: string;
  readonly display: ProgressDisplay;
  /** 0 = any free port. */
  readonly port?: number;
  readonly mqttPort?: number;
}

export interface Session extends Target {
  readonly status: PipelineStatus;
  readonly ca: string;
  /** Folder of the lake bucket's objects, as plain files. */
  readonly files: string;
  /** Folder of the tasks' and functions' logs. */
  readonly logs: string;
  /** Stops the run, where this process holds it. */
  close(): Promise<void>;
}

/** A run that this process holds. */
export interface StartedSession extends Session {
  messages(): MessageCounts;
  readonly kinesis: KinesisClient;
  readonly streamName: string;
}

/** Messages at the stages before the registry, since the run began: a message holds one reading or many. */
export interface MessageCounts {
  readonly published: number;
  readonly routed: number;
  readonly inStream: number;
  readonly read: number;
}

export async function openSession(options: SessionOptions): Promise<Session> {
  const { stateDirectory, display } = options;
  const running = findRunning(stateDirectory);
  if (running) {
    display.say(`Using the local run that is up at ${running.endpoint}.`);
    return session(stateDirectory, running.endpoint, running.outputs);
  }
  return startSession(options);
}

/** Log sources that a person should see at once: the run's own words and SNS notifications. The rest is in the files. */
const SHOWN_SOURCES = new Set([RUN, 'sns']);

/** Synthesizes the app for this machine and runs it from its templates. */
export async function startSession(options: SessionOptions): Promise<StartedSession> {
  const { stateDirectory, display } = options;
  display.say('Synthesizing the app for the environment "local"…');
  const assembly = path.join(stateDirectory, 'cdk.out');
  rmSync(assembly, { recursive: true, force: true });
  buildApp('local', assembly).synth();
  display.say('Provisioning every resource of its templates…');
  const run = await LocalRun.start({
    assembly,
    stateDirectory,
    port: options.port ?? 0,
    mqttPort: options.mqttPort ?? 0,
    onLog: ({ source, line }) => {
      if (SHOWN_SOURCES.has(source)) display.say(`${source}: ${line}`);
    },
  }).catch((error: Error) => {
    // What keeps a run from starting is said in one message: a busy port or directory, an unknown resource type.
    throw new UserError(error.message);
  });
  return {
    ...session(stateDirectory, run.endpoint, run.outputs),
    kinesis: new KinesisClient({ endpoint: run.endpoint, region: localRegion, credentials: localCredentials }),
    streamName: run.outputs['StreamName'] ?? '',
    messages: () => messageCounts(run),
    close: () => run.stop(),
  };
}

function session(stateDirectory: string, endpoint: string, outputs: Readonly<Record<string, string>>): Session {
  const output = (name: string): string => {
    const value = outputs[name];
    if (value === undefined)
      throw new UserError(`The stacks have no output ${name}; they have: ${Object.keys(outputs).join(', ')}.`);
    return value;
  };
  const client = { endpoint, region: localRegion, credentials: localCredentials };
  return {
    fleet: localFleet(stateDirectory, endpoint, output(DEVICE_POLICY_OUTPUT)),
    ca: localAuthority(stateDirectory),
    files: path.join(stateDirectory, 's3', output('LakeBucketName')),
    logs: path.join(stateDirectory, 'logs'),
    status: new PipelineStatus({
      dynamodb: new DynamoDBClient(client),
      s3: new S3Client({ ...client, forcePathStyle: true }),
      sagemaker: new SageMakerClient(client),
      registryTable: output('RegistryTableName'),
      pipelines: Object.fromEntries(useCases.map(({ name }) => [name, output(pipelineOutput(name))])),
    }),
    close: () => Promise.resolve(),
  };
}

function messageCounts({ services: { iot, kinesis } }: LocalRun): MessageCounts {
  return {
    published: iot.broker.counts.published,
    routed: iot.rules.counts.routed,
    inStream: kinesis.counts.put,
    read: kinesis.counts.read,
  };
}

/** Output of the Training stack that names a use case's pipeline; output names admit no hyphens. */
export function pipelineOutput(useCase: string): string {
  return `PipelineName${useCase.replaceAll('-', '')}`;
}
