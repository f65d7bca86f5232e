/** The one place with real time and real randomness. */
import { randomUUID } from 'node:crypto';
import type { Clock, Dependencies, Log, MetricsFactory } from '../dependencies';
import { EcsCpu } from '../coordinator/ecs-cpu';
import { renewalsInThread } from '../workers/threaded-lease-holder';

/** setTimeout would fire at once for more. */
const LONGEST_TIMER_MILLIS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Unlike performance.now(), the same in all threads of the process.
  monotonic: () => Number(process.hrtime.bigint() / 1_000n) / 1_000,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.min(ms, LONGEST_TIMER_MILLIS));
      signal?.addEventListener('abort', finish);
    }),
  after: (ms, action) => {
    const timer = setTimeout(action, Math.min(ms, LONGEST_TIMER_MILLIS));
    return () => clearTimeout(timer);
  },
};

/** One JSON object a line on stdout, or on stderr from `warn` up. */
export const jsonLog: Log = (level, event, fields) => {
  if (level === 'debug') return;
  const line = JSON.stringify({ time: new Date().toISOString(), level, event, ...fields });
  (level === 'info' ? process.stdout : process.stderr).write(`${line}\n`);
};

export const noMetrics: MetricsFactory = {
  scope: () => ({ add: () => undefined, dimension: () => undefined, end: () => undefined }),
};

const METADATA_TIMEOUT_MILLIS = 2_000;

async function readJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(METADATA_TIMEOUT_MILLIS) });
  if (!response.ok) throw new Error(`The task metadata endpoint answered ${response.status}.`);
  return response.json();
}

/**
 * Everything but the clients: system clock, Math.random, random UUIDs, JSON lines, no metrics, renewals in a thread where
 * the program was bundled with it, and on ECS the container's CPU utilisation for a leader of KCL 3.
 */
export function systemDependencies(): Omit<Dependencies, 'kinesis' | 'dynamodb'> {
  const metadataUri = process.env['ECS_CONTAINER_METADATA_URI_V4'];
  return {
    clock: systemClock,
    random: Math.random,
    uuid: randomUUID,
    log: jsonLog,
    metrics: noMetrics,
    leaseHolder: renewalsInThread(systemClock),
    workerMetrics: metadataUri === undefined ? [] : [new EcsCpu({ metadataUri, readJson })],
  };
}
