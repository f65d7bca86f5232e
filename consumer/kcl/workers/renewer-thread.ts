/**
 * The renewer thread: renews, checkpoints and gives up the worker's leases with a DynamoDB client of its own, so that no
 * batch, however long it keeps the worker's event loop, costs a lease. Its client is configured by the environment.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamoFromSdk } from '../adapters/dynamodb-sdk';
import { systemDependencies } from '../adapters/system';
import type { Log, MetricDimension, MetricsFactory, MetricUnit } from '../dependencies';
import { describeError, errorName } from '../common/errors';
import { DynamoDbLeaseRefresher } from '../leases/dynamodb/dynamodb-lease-refresher';
import { LeaseRenewer } from '../leases/lease-renewer';
import type { Lease } from '../leases/lease';
import { SharedTimes, type FromThread, type Measured, type ThreadData, type ToThread } from './messages';

/** Metrics are the worker's to publish: it gets each scope whole. */
function tellMeasured(tell: (measured: Measured) => void): MetricsFactory {
  return {
    scope: (operation) => {
      const dimensions: (readonly [MetricDimension, string])[] = [];
      const values: (readonly [string, number, MetricUnit])[] = [];
      return {
        add: (name, value, unit) => void values.push([name, value, unit]),
        dimension: (name, value) => void dimensions.push([name, value]),
        end: () => tell({ operation, dimensions, values }),
      };
    },
  };
}

function run(port: NonNullable<typeof parentPort>, { settings }: ThreadData): void {
  const say = (message: FromThread): void => port.postMessage(message);
  const log: Log = (level, event, fields) => say({ type: 'log', level, event, fields });
  const metrics = tellMeasured((measured) => say({ type: 'measured', ...measured }));
  const { clock, uuid } = systemDependencies();
  const refresher = new DynamoDbLeaseRefresher({
    ...settings,
    dynamodb: dynamoFromSdk(new DynamoDBClient({})),
    clock,
    log,
  });
  const onLost = (leaseKey: string, token: string): void => say({ type: 'lost', leaseKey, token });
  const onHandoff = (lease: Lease, token: string): void =>
    say({ type: 'handoff', leaseKey: lease.leaseKey, token, lease });
  const renewer = new LeaseRenewer({ ...settings, refresher, clock, uuid, log, metrics, onLost, onHandoff });

  const answer = async (id: number, work: Promise<Lease | void>): Promise<void> => {
    try {
      say({ type: 'done', id, lease: (await work) ?? undefined });
    } catch (error) {
      say({
        type: 'failed',
        id,
        name: errorName(error),
        message: error instanceof Error ? error.message : describeError(error),
      });
    }
  };

  port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'hold': {
        const times = new SharedTimes(message.times);
        return renewer.hold(message.lease, times.confirmedAt, message.token, times);
      }
      case 'update':
        return void answer(message.id, renewer.update(message.leaseKey, message.token, message.change));
      case 'evict':
        return void answer(message.id, renewer.evict(message.leaseKey, message.token));
      case 'drop':
        return renewer.drop(message.leaseKey, message.token);
      case 'observe':
        return renewer.observe(message.rows);
      case 'stop':
        return void renewer.stop().then(() => port.close());
    }
  });
  void renewer.start().then(() => say({ type: 'ready' }));
}

if (parentPort) run(parentPort, workerData as ThreadData);
