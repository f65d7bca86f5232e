/** Mirrors KCL's DynamoDBLeaseRenewerIntegrationTest, DynamoDBLeaseRenewerTest and DynamoDBLeaseRefresherTest. */
import { DependencyError, ShutdownError } from '../../../consumer/kcl/common/errors';
import type { ClientVersionConfig } from '../../../consumer/kcl/coordinator/fleet-mode';
import { scanSegments } from '../../../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import { verifyLeaseTable } from '../../../consumer/kcl/leases/dynamodb/lease-table';
import { holdOwnLeases } from '../../../consumer/kcl/leases/lease-holder';
import { FAILOVER, lease, LeaseBench } from '../support/leases';

const mine = (key: string, members = {}) => lease(key, { leaseOwner: 'me', ...members });
const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });

describe('LeaseRenewer (DynamoDBLeaseRenewerIntegrationTest)', () => {
  test('another worker takes lease 2: the next round keeps 1 and drops 2', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'), mine('2'));
    await bench.hold('1');
    await bench.hold('2');
    await bench.wait(bench.refresher.takeLease((await bench.row('2'))!, 'other'));
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.held()).toEqual(['1']);
    expect(bench.lost).toEqual(['2']);
    expect(await bench.row('1')).toMatchObject({ leaseCounter: 2 });
  });

  test('a look at the table shows a stolen lease before the next renewal does', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'), mine('2'));
    await bench.hold('1');
    await bench.hold('2');
    const stale = (await bench.row('1'))!;
    await bench.wait(bench.refresher.takeLease((await bench.row('2'))!, 'other'));
    bench.renewer.observe([{ ...stale, leaseOwner: 'other', leaseCounter: 0 }, (await bench.row('2'))!]);
    expect(bench.held()).toEqual(['1']);
  });

  test('not renewed for a failover time: not held any more, and dropped at the next round', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    await bench.time.run(FAILOVER / 2);
    expect(bench.renewer.remaining('1', token)).toBeGreaterThan(0);
    await bench.time.run(FAILOVER / 2);
    expect(bench.held()).toEqual([]);
    expect(bench.renewer.remaining('1', token)).toBe(0);
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.lost).toEqual(['1']);
    expect(await bench.row('1')).toMatchObject({ leaseCounter: 1 });
  });

  test('age counts from the sending of the renewal', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    bench.host.faults = { lost: 0, throttled: 0, latency: 1_000 };
    const sentAt = bench.time.monotonic();
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.time.monotonic()).toBeGreaterThan(sentAt);
    expect(bench.renewer.remaining('1', token)).toBeCloseTo(sentAt + FAILOVER - bench.time.monotonic(), 6);
  });

  test('start: own rows are renewed even if expired, rows in a handoff and of others are left', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'), mine('2', {}), lease('3', { leaseOwner: 'other' }));
    bench.table.rows.get('2')!['checkpointOwner'] = { S: 'other' };
    await bench.time.run(10 * FAILOVER);
    await bench.wait(holdOwnLeases(bench.renewer, bench.refresher, 'me', () => bench.time.monotonic()));
    expect(bench.held()).toEqual(['1']);
  });

  test('a lease whose consumer gives no sign of life is not renewed', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'), mine('2'));
    const [one] = [await bench.hold('1'), await bench.hold('2')];
    for (let i = 0; i < 30; i++) {
      await bench.time.run(3_000);
      bench.renewer.stamp('1', one);
      await bench.wait(bench.renewer.renewLeases());
    }
    expect(bench.held()).toEqual(['1']);
    expect(bench.lost).toEqual(['2']);
  });
});

describe('LeaseRenewer (DynamoDBLeaseRenewerTest)', () => {
  test('DynamoDB fails during a checkpoint: what is held stays as it was', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    bench.host.faults = { lost: 0, throttled: 1, latency: 1 };
    const failed = bench.wait(bench.renewer.update('1', token, { checkpoint: at('200') }));
    await expect(failed).rejects.toThrow(/could not be written in 5 attempts/);
    expect(bench.renewer.held('1')!.lease.checkpoint).toEqual(at('100'));
    bench.host.faults = { lost: 0, throttled: 0, latency: 1 };
    await bench.wait(bench.renewer.update('1', token, { checkpoint: at('200') }));
    expect(await bench.row('1')).toMatchObject({ checkpoint: at('200'), ownerSwitchesSinceCheckpoint: 0 });
  });

  test('lost answers: the row one ahead of what is held is ours', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    bench.host.faults = { lost: 2, throttled: 0, latency: 1 };
    // Every request is lost.
    await expect(bench.wait(bench.renewer.update('1', token, { checkpoint: at('200') }))).rejects.toThrow(
      DependencyError,
    );
    bench.host.faults = { lost: 0, throttled: 0, latency: 1 };
    bench.table.update(
      {
        TableName: 'app',
        Key: { leaseKey: { S: '1' } },
        UpdateExpression: 'SET #c = #c0',
        ExpressionAttributeNames: { '#c': 'leaseCounter' },
        ExpressionAttributeValues: { '#c0': { N: String(bench.renewer.held('1')!.lease.leaseCounter + 1) } },
      },
      'me',
    );
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.held()).toEqual(['1']);
    expect(bench.lost).toEqual([]);
    await bench.wait(bench.renewer.update('1', token, { checkpoint: at('300') }));
    expect(await bench.row('1')).toMatchObject({ checkpoint: at('300') });
  });

  test('a checkpoint after the loss, or with an older acquisition’s token, is refused', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    const stolen = await bench.wait(bench.refresher.takeLease((await bench.row('1'))!, 'other'));
    const late = bench.wait(bench.renewer.update('1', token, { checkpoint: at('200') }));
    await expect(late).rejects.toThrow(ShutdownError);
    if (!stolen.written) throw new Error('the steal failed');
    const back = await bench.wait(bench.refresher.takeLease(stolen.lease, 'me'));
    if (!back.written) throw new Error('the take failed');
    bench.renewer.hold(back.lease, bench.time.monotonic());
    await expect(bench.renewer.update('1', token, { checkpoint: at('200') })).rejects.toThrow(ShutdownError);
    expect(await bench.row('1')).toMatchObject({ checkpoint: at('100'), leaseOwner: 'me' });
  });

  test('a row whose checkpointOwner is now this worker: it goes on renewing (DynamoDBLeaseRefresherTest)', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'));
    const token = await bench.hold('1');
    Object.assign(bench.table.rows.get('1')!, { leaseOwner: { S: 'next' }, checkpointOwner: { S: 'me' } });
    await bench.wait(bench.renewer.renewLeases());
    expect(bench.held()).toEqual(['1']);
    await bench.wait(bench.renewer.update('1', token, { checkpoint: at('200') }));
    await bench.wait(bench.renewer.evict('1', token));
    // What ends the handoff: the new owner stays, the old one is gone.
    const row = await bench.row('1');
    expect(row).toMatchObject({ leaseOwner: 'next', checkpoint: at('200') });
    expect(row!.checkpointOwner).toBeUndefined();
  });

  test('eviction leaves the row unowned, and does nothing to a successor’s', async () => {
    const bench = new LeaseBench();
    bench.put(mine('1'), mine('2'));
    const [one, two] = [await bench.hold('1'), await bench.hold('2')];
    await bench.wait(bench.refresher.takeLease((await bench.row('2'))!, 'other'));
    await bench.wait(Promise.all([bench.renewer.evict('1', one), bench.renewer.evict('2', two)]));
    expect((await bench.row('1'))!.leaseOwner).toBeUndefined();
    expect((await bench.row('1'))!.leaseCounter).toBe(2);
    expect(await bench.row('2')).toMatchObject({ leaseOwner: 'other', leaseCounter: 2 });
  });
});

describe('DynamoDbLeaseRefresher (DynamoDBLeaseRefresherTest)', () => {
  test('pages of other entities before the first lease: the table is not empty', async () => {
    const bench = new LeaseBench();
    for (const key of ['0a', '0b', '0c']) {
      bench.table.rows.set(key, { leaseKey: { S: key }, entityType: { S: 'WORKER_METRIC_STATS' } });
    }
    bench.put(lease('1'));
    bench.table.pageSize = 2;
    expect((await bench.wait(bench.refresher.listLeases())).map((row) => row.leaseKey)).toEqual(['1']);
  });

  test('large tables are scanned in segments at once, as many as the size of the last scan asks for', async () => {
    const bench = new LeaseBench();
    bench.table.pageSize = 1;
    const keys = Array.from({ length: 401 }, (_, i) => `s${String(i).padStart(3, '0')}`);
    bench.put(...keys.map((key) => lease(key)));
    const list = async (): Promise<string[]> =>
      (await bench.wait(bench.refresher.listLeases())).map(({ leaseKey }) => leaseKey).sort();
    const duration = async (): Promise<number> => {
      const started = bench.time.monotonic();
      expect(await list()).toEqual(keys);
      return bench.time.monotonic() - started;
    };
    const alone = await duration();
    expect(await duration()).toBeLessThan(alone / 2);
    expect([0, 200, 201, 6_400, 100_000].map(scanSegments)).toEqual([1, 1, 2, 32, 32]);
  });

  test('a row as Java wrote it is read, and what is unknown in it survives updates', async () => {
    const bench = new LeaseBench();
    bench.table.rows.set('shardId-000000000003', {
      leaseKey: { S: 'shardId-000000000003' },
      leaseOwner: { S: 'java' },
      leaseCounter: { N: '17' },
      ownerSwitchesSinceCheckpoint: { N: '2' },
      checkpoint: { S: '49590338271490256608559692538361571095921575989136588898' },
      checkpointSubSequenceNumber: { N: '5' },
      pendingCheckpoint: { S: '49590338271490256608559692538361571095921575989136588900' },
      pendingCheckpointSubSequenceNumber: { N: '1' },
      pendingCheckpointState: { B: new Uint8Array([1, 2]) },
      parentShardId: { SS: ['shardId-000000000001', 'shardId-000000000002'] },
      startingHashKey: { S: '0' },
      endingHashKey: { S: '340282366920938463463374607431768211455' },
      throughputKBps: { N: '12.500000' },
      future: { BOOL: true },
    });
    const row = (await bench.row('shardId-000000000003'))!;
    expect(row).toEqual({
      leaseKey: 'shardId-000000000003',
      leaseOwner: 'java',
      leaseCounter: 17,
      ownerSwitchesSinceCheckpoint: 2,
      checkpoint: {
        sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
        subSequenceNumber: 5,
      },
      pendingCheckpoint: {
        sequenceNumber: '49590338271490256608559692538361571095921575989136588900',
        subSequenceNumber: 1,
      },
      pendingCheckpointState: new Uint8Array([1, 2]),
      parentShardIds: ['shardId-000000000001', 'shardId-000000000002'],
      childShardIds: [],
      hashKeyRange: { startingHashKey: '0', endingHashKey: '340282366920938463463374607431768211455' },
      throughputKBps: 12.5,
      checkpointOwner: undefined,
    });
    await bench.wait(bench.refresher.takeLease(row, 'me'));
    expect(bench.table.rows.get('shardId-000000000003')).toMatchObject({
      future: { BOOL: true },
      leaseOwner: { S: 'me' },
      leaseCounter: { N: '18' },
      ownerSwitchesSinceCheckpoint: { N: '3' },
    });
  });

  test('a new row has KCL 3.5’s attributes and no empty sets', async () => {
    const bench = new LeaseBench();
    const fresh = lease('s', { checkpoint: at('TRIM_HORIZON'), parentShardIds: ['p'] });
    expect(await bench.wait(bench.refresher.createLeaseIfNotExists(fresh))).toBe(true);
    expect(await bench.wait(bench.refresher.createLeaseIfNotExists(fresh))).toBe(false);
    expect(bench.table.rows.get('s')).toEqual({
      leaseKey: { S: 's' },
      entityType: { S: 'LEASE' },
      leaseCounter: { N: '0' },
      ownerSwitchesSinceCheckpoint: { N: '0' },
      checkpoint: { S: 'TRIM_HORIZON' },
      checkpointSubSequenceNumber: { N: '0' },
      parentShardId: { SS: ['p'] },
    });
  });

  test('an unreadable row is left out and logged; a multi-stream row says why', async () => {
    const bench = new LeaseBench();
    bench.put(lease('1'));
    bench.table.rows.set('2', { leaseKey: { S: '2' }, checkpoint: { S: 'nonsense' }, leaseCounter: { N: '1' } });
    bench.table.rows.set('3', { leaseKey: { S: '3' }, streamName: { S: 'acc:stream:1' }, leaseCounter: { N: '1' } });
    expect((await bench.wait(bench.refresher.listLeases())).map((row) => row.leaseKey)).toEqual(['1']);
    const errors = bench.host.logged.map((line) => line.fields?.error);
    expect(errors[0]).toMatch(/Lease 2: attribute checkpoint/);
    expect(errors[1]).toMatch(/Lease 3 .*multi-stream/);
  });

  test('the table is verified: each thing that is missing is named', async () => {
    const bench = new LeaseBench();
    const { dynamodb } = bench.host.dependencies;
    const config = { leaseTableName: 'app', clientVersionConfig: 'CLIENT_VERSION_CONFIG_3X' } as const;
    await bench.wait(verifyLeaseTable(dynamodb, config));
    bench.table.description = {
      status: 'DELETING',
      keySchema: [{ name: 'id', keyType: 'HASH' }],
      indexes: [{ name: 'LeaseOwnerToLeaseKeyIndex', status: 'CREATING', keySchema: [] }],
    };
    await expect(bench.wait(verifyLeaseTable(dynamodb, config))).rejects.toThrow(
      /app cannot be used: it is DELETING.*leaseKey \(S, HASH\) alone.*keys of index/,
    );
    const absent = {
      ...dynamodb,
      describeTable: () => Promise.reject(Object.assign(new Error(), { name: 'ResourceNotFoundException' })),
    };
    await expect(verifyLeaseTable(absent, config)).rejects.toThrow(
      /The lease table app does not exist. Deploy it first/,
    );
  });

  test('the index is needed where a leader gives the leases; KCL 2 makes a table without it', async () => {
    const bench = new LeaseBench();
    const { dynamodb } = bench.host.dependencies;
    bench.table.description = {
      status: 'ACTIVE',
      keySchema: [{ name: 'leaseKey', keyType: 'HASH', attributeType: 'S' }],
      indexes: [],
    };
    const by = (clientVersionConfig: ClientVersionConfig) =>
      bench.wait(verifyLeaseTable(dynamodb, { leaseTableName: 'app', clientVersionConfig }));
    await by('CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X');
    await expect(by('CLIENT_VERSION_CONFIG_3X')).rejects.toThrow(/it has no index LeaseOwnerToLeaseKeyIndex/);
  });
});
