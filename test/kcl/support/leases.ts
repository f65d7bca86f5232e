/** Rows and workers' parts for unit tests. */
import { DynamoDbLeaseRefresher } from '../../../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import { newLease, type Lease } from '../../../consumer/kcl/leases/lease';
import { itemFromLease } from '../../../consumer/kcl/leases/lease-serializer';
import { LeaseRenewer } from '../../../consumer/kcl/leases/lease-renewer';
import { LeaseTaker, type LeaseTakerOptions } from '../../../consumer/kcl/leases/lease-taker';
import { FakeTable } from './fake-dynamodb';
import { FakeStream } from './fake-stream';
import { seededRandom, VirtualTime } from './virtual-time';
import { WorkerHost } from './worker-host';

export const FAILOVER = 10_000;

export function lease(leaseKey: string, members: Partial<Lease> = {}): Lease {
  const digits = { sequenceNumber: '100', subSequenceNumber: 0 };
  return { ...newLease(leaseKey, digits, [], undefined), ...members };
}

/** A lease table and the lease classes of a worker called `me`. */
export class LeaseBench {
  readonly time = new VirtualTime();
  readonly table = new FakeTable();
  readonly host: WorkerHost;
  readonly lost: string[] = [];
  readonly handoffs: string[] = [];
  readonly refresher: DynamoDbLeaseRefresher;
  readonly renewer: LeaseRenewer;

  constructor(readonly workerId = 'me') {
    const random = seededRandom(1);
    const stream = new FakeStream(() => this.time.now(), 1);
    this.host = new WorkerHost(workerId, this.time, random, this.table, stream);
    const { dynamodb, clock, log, metrics, uuid } = this.host.dependencies;
    this.refresher = new DynamoDbLeaseRefresher({ dynamodb, clock, log, tableName: 'app', requestTimeout: 3_000 });
    this.renewer = new LeaseRenewer({
      refresher: this.refresher,
      workerId,
      clock,
      uuid,
      log,
      metrics,
      tableName: 'app',
      failoverTime: FAILOVER,
      epsilon: 25,
      livenessTimeout: 60_000,
      maxConcurrency: 20,
      requestTimeout: 3_000,
      onLost: (key) => this.lost.push(key),
      onHandoff: ({ leaseKey }) => this.handoffs.push(leaseKey),
    });
  }

  taker(options: Partial<LeaseTakerOptions> = {}): LeaseTaker {
    const { clock, log, metrics, random } = this.host.dependencies;
    return new LeaseTaker({
      refresher: this.refresher,
      workerId: this.workerId,
      clock,
      random,
      log,
      metrics,
      failoverTime: FAILOVER,
      maxLeasesForWorker: Number.MAX_SAFE_INTEGER,
      maxLeasesToStealAtOneTime: 1,
      enablePriorityLeaseAssignment: true,
      onLook: () => undefined,
      onTaken: (taken, sentAt) => this.renewer.hold(taken, sentAt),
      isBlocked: () => false,
      ...options,
    });
  }

  put(...leases: readonly Lease[]): void {
    for (const row of leases) this.table.rows.set(row.leaseKey, { ...itemFromLease(row) });
  }

  /** Runs virtual time until the promise settles. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return this.time.settle(promise);
  }

  async row(leaseKey: string): Promise<Lease | undefined> {
    return this.wait(this.refresher.getLease(leaseKey));
  }

  /** Holds a row of this worker's. */
  async hold(leaseKey: string): Promise<string> {
    const sentAt = this.time.monotonic();
    const outcome = await this.wait(this.refresher.renewLease((await this.row(leaseKey))!));
    if (outcome.written) this.renewer.hold(outcome.lease, sentAt);
    return this.renewer.held(leaseKey)!.concurrencyToken;
  }

  held(): string[] {
    return this.renewer.all().map((held) => held.lease.leaseKey);
  }
}
