/** Where the operators' tools work: the lake of the local run, up or not, or of an AWS account. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { adapters } from '../../consumer/kcl';
import { DynamoDbRegistryStore } from '../../consumer/lake/stores/dynamodb-registry-store';
import { S3ObjectStore } from '../../consumer/lake/stores/s3-object-store';
import { LocalRun } from '../../local/runtime/local-run';
import { S3Listing, type HourRange, type Lake, type Progress } from '../../operations/lake';
import type { UseCase } from '../../use-cases/define-use-case';
import { useCases } from '../../use-cases';
import { UserError } from './command-line';
import { findRunning, localCredentials, localRegion } from './target';
import { count, type ProgressDisplay } from './terminal';
import { useCaseOption } from './use-case-option';

export const LAKE_OPTIONS = {
  account: { type: 'boolean', default: false },
  state: { type: 'string', default: '.local' },
  'registry-table': { type: 'string' },
  'lake-bucket': { type: 'string' },
  'lease-table': { type: 'string' },
  stream: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

export const LAKE_USAGE = `  --state DIRECTORY  state directory of the local run, which may be up or not (default .local)
  --account          works on an AWS account instead, with the usual AWS credentials; then also
  --registry-table NAME --lake-bucket NAME --lease-table NAME --stream NAME
                     the outputs RegistryTableName, LakeBucketName, LeaseTableName, StreamName of the stacks
  --json             one JSON object on stdout; progress goes to stderr`;

/** Options by the outputs of the stacks that name the same things. */
const OUTPUTS = {
  'registry-table': 'RegistryTableName',
  'lake-bucket': 'LakeBucketName',
  'lease-table': 'LeaseTableName',
  stream: 'StreamName',
} as const;

type LakeValues = Readonly<Partial<Record<keyof typeof OUTPUTS, string>>> & {
  readonly account: boolean;
  readonly state: string;
};

export interface LakeTarget {
  readonly lake: Lake;
  readonly dynamodb: DynamoDBClient;
  readonly kinesis: KinesisClient;
  readonly leaseTable: string;
  readonly streamName: string;
  /** A local run is up over the state directory, so its consumers are at work. */
  readonly isRunning: boolean;
  /** The account's, where no one can tell from here whether consumers are at work. */
  readonly isAccount: boolean;
  close(): Promise<void>;
}

/** @throws UserError where a name is missing or there is no local state */
export async function openLake(values: LakeValues, display: ProgressDisplay): Promise<LakeTarget> {
  if (values.account) {
    const name = (option: keyof typeof OUTPUTS): string => {
      const value = values[option];
      if (value !== undefined) return value;
      throw new UserError(`--${option} is missing: with --account, give the stacks' output ${OUTPUTS[option]}.`);
    };
    return target({}, name, { isRunning: false, isAccount: true, close: async () => undefined });
  }
  const stateDirectory = path.resolve(values.state);
  const running = findRunning(stateDirectory);
  if (running !== undefined) return local(running, { isRunning: true, close: async () => undefined });
  const assembly = path.join(stateDirectory, 'cdk.out');
  if (!existsSync(assembly)) {
    throw new UserError(`${stateDirectory} holds no local run's state: "npm start" makes one; or use --account.`);
  }
  display.say(`Opening the state in ${stateDirectory}; no consumer runs…`);
  const run = await LocalRun.start({ assembly, stateDirectory, port: 0, mqttPort: 0, startTasks: false }).catch(
    (error: Error) => {
      throw new UserError(error.message);
    },
  );
  return local(run, { isRunning: false, close: () => run.stop() });
}

function local(
  { endpoint, outputs }: { readonly endpoint: string; readonly outputs: Readonly<Record<string, string>> },
  rest: Pick<LakeTarget, 'isRunning' | 'close'>,
): LakeTarget {
  const client = { endpoint, region: localRegion, credentials: localCredentials, forcePathStyle: true };
  return target(client, (option) => outputs[OUTPUTS[option]]!, { ...rest, isAccount: false });
}

function target(
  client: { endpoint?: string; forcePathStyle?: boolean },
  name: (option: keyof typeof OUTPUTS) => string,
  rest: Pick<LakeTarget, 'isRunning' | 'isAccount' | 'close'>,
): LakeTarget {
  const dynamodb = new DynamoDBClient(client);
  const s3 = new S3Client(client);
  const bucket = name('lake-bucket');
  return {
    lake: {
      registry: new DynamoDbRegistryStore(dynamodb, name('registry-table'), adapters.systemClock),
      objects: new S3ObjectStore(s3, bucket, adapters.systemClock),
      listing: new S3Listing(s3, bucket),
    },
    dynamodb,
    kinesis: new KinesisClient(client),
    leaseTable: name('lease-table'),
    streamName: name('stream'),
    ...rest,
  };
}

export function showProgress(display: ProgressDisplay): Progress {
  return (what, done, total) => {
    const line = `${what}: ${count(done)} of ${count(total)}`;
    display.update([line], line);
  };
}

/** All use cases, or the one that is named. */
export function chosenUseCases(name: string | undefined): readonly UseCase[] {
  return name === undefined ? useCases : [useCaseOption(name)];
}

const HOUR = /^\d{4}-\d{2}-\d{2}(T\d{2})?$/;

/** `--from` inclusive, `--to` exclusive: `YYYY-MM-DD` or `YYYY-MM-DDTHH`, UTC. */
export function hourRange(values: { readonly from?: string; readonly to?: string }): HourRange {
  for (const option of ['from', 'to'] as const) {
    const text = values[option];
    if (text === undefined) continue;
    const time = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : `${text}:00:00Z`);
    if (!HOUR.test(text) || Number.isNaN(time)) {
      throw new UserError(`--${option} "${text}": it must be a UTC hour, YYYY-MM-DDTHH, or a day, YYYY-MM-DD.`);
    }
  }
  const { from, to } = values;
  if (from !== undefined && to !== undefined && from >= to)
    throw new UserError(`--from ${from} must be before --to ${to}.`);
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}
