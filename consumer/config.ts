/** The consumer's environment as typed settings; every problem is told at once. */
import { createHash } from 'node:crypto';
import {
  CLIENT_VERSION_CONFIGS,
  type ClientVersionConfig,
  ConsumerEnv,
  METRICS_LEVELS,
  type MetricsLevel,
} from '../lib/contracts/environment';

/** Durations in milliseconds, sizes in bytes. */
export interface ConsumerConfig {
  readonly streamName: string;
  readonly applicationName: string;
  readonly registryTable: string;
  readonly lakeBucket: string;
  /**
   * The bundle's hash and the settings that decide what becomes of a record: two tasks that differ in either must not
   * finish each other's intents.
   */
  readonly codeVersion: string;
  readonly failoverTime: number;
  /** Epoch milliseconds, or the oldest record. */
  readonly initialPosition: number | 'TRIM_HORIZON';
  /** Of the consumer by which the shards are read; without it they are polled. */
  readonly consumerArn?: string;
  /** @default the library's */
  readonly clientVersionConfig?: ClientVersionConfig;
  /** Of the library's metrics. @default NONE */
  readonly metricsLevel?: MetricsLevel;
  readonly flushInterval: number;
  readonly flushBytes: number;
  /** In place of every use case's own. */
  readonly lateness?: number;
  readonly maximumEventAge: number;
  readonly maximumEventAhead: number;
  readonly metricsNamespace: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** @throws Error naming every variable that is missing or out of its range */
export function parseConsumerConfig(environment: Environment): ConsumerConfig {
  const problems: string[] = [];
  const text = (name: string): string => {
    const value = environment[name] ?? '';
    if (value === '') problems.push(`${name} is not set`);
    return value;
  };
  const number = (name: string, minimum: number, maximum: number): number => {
    const value = text(name);
    const parsed = Number(value);
    if (value !== '' && (!Number.isSafeInteger(parsed) || parsed < minimum || parsed > maximum)) {
      problems.push(`${name} must be a whole number from ${minimum} to ${maximum}, got "${value}"`);
    }
    return parsed;
  };
  const choice = <T extends string>(name: string, choices: readonly T[]): T => {
    const value = text(name) as T;
    if (value !== '' && !choices.includes(value)) {
      problems.push(`${name} must be one of ${choices.join(', ')}, got "${value}"`);
    }
    return value;
  };
  const position = text(ConsumerEnv.initialPosition);
  if (position !== '' && position !== 'TRIM_HORIZON' && !/^\d{1,15}$/.test(position)) {
    problems.push(
      `${ConsumerEnv.initialPosition} must be TRIM_HORIZON or epoch milliseconds, got "${position}"; ` +
        'LATEST is refused: two workers could not open the same place',
    );
  }
  const consumerArn = environment[ConsumerEnv.consumerArn] ?? '';
  const hasLateness = (environment[ConsumerEnv.lateness] ?? '') !== '';
  const config: ConsumerConfig = {
    streamName: text(ConsumerEnv.streamName),
    applicationName: text(ConsumerEnv.applicationName),
    registryTable: text(ConsumerEnv.registryTable),
    lakeBucket: text(ConsumerEnv.lakeBucket),
    codeVersion: text(ConsumerEnv.codeVersion),
    failoverTime: number(ConsumerEnv.failoverTime, 1_000, 10 * MINUTE),
    initialPosition: position === 'TRIM_HORIZON' ? position : Number(position),
    ...(consumerArn === '' ? {} : { consumerArn }),
    clientVersionConfig: choice(ConsumerEnv.clientVersionConfig, CLIENT_VERSION_CONFIGS),
    metricsLevel: choice(ConsumerEnv.metricsLevel, METRICS_LEVELS),
    flushInterval: number(ConsumerEnv.flushInterval, 100, 15 * MINUTE),
    flushBytes: number(ConsumerEnv.flushBytes, 64 * 1024, 1024 ** 3),
    ...(hasLateness ? { lateness: number(ConsumerEnv.lateness, 0, 7 * DAY) } : {}),
    maximumEventAge: number(ConsumerEnv.maxEventAge, MINUTE, 100 * 366 * DAY),
    maximumEventAhead: number(ConsumerEnv.maxEventAhead, 0, 366 * DAY),
    metricsNamespace: text(ConsumerEnv.metricsNamespace),
  };
  if (problems.length > 0) throw new Error(`consumer configuration: ${problems.join('; ')}`);
  return { ...config, codeVersion: effectiveVersion(config) };
}

function effectiveVersion({ codeVersion, maximumEventAge, maximumEventAhead }: ConsumerConfig): string {
  const settings = createHash('sha256').update(`${maximumEventAge}/${maximumEventAhead}`).digest('hex').slice(0, 8);
  return `${codeVersion}-${settings}`;
}
