import { EmfMetrics } from '../../../consumer/kcl/metrics/emf';
import { Cluster } from '../support/cluster';
import { Scheduler } from '../../../consumer/kcl/scheduler';
import { WorkerHost } from '../support/worker-host';

const parse = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe('EmfMetrics', () => {
  test('scopes of the same dimensions make one document, by the specification', () => {
    const lines: string[] = [];
    const metrics = new EmfMetrics({ namespace: 'app', write: (line) => lines.push(line), now: () => 42 });
    for (const value of [1, 2]) {
      const scope = metrics.scope('ProcessTask');
      scope.dimension('ShardId', 's');
      scope.add('RecordsProcessed', value, 'Count');
      scope.end();
    }
    const other = metrics.scope('TakeLeases');
    other.add('TotalLeases', 4, 'Count');
    other.end();
    expect(lines).toEqual([]);
    metrics.flush();
    metrics.flush();
    expect(lines.every((line) => line.endsWith('\n'))).toBe(true);
    expect(parse(lines)).toEqual([
      {
        _aws: {
          Timestamp: 42,
          CloudWatchMetrics: [
            {
              Namespace: 'app',
              Dimensions: [['Operation', 'ShardId']],
              Metrics: [{ Name: 'RecordsProcessed', Unit: 'Count' }],
            },
          ],
        },
        Operation: 'ProcessTask',
        ShardId: 's',
        RecordsProcessed: [1, 2],
      },
      expect.objectContaining({ Operation: 'TakeLeases', TotalLeases: 4 }),
    ]);
  });

  test('no metric of a document has more than 100 values', () => {
    const lines: string[] = [];
    const metrics = new EmfMetrics({ namespace: 'app', write: (line) => lines.push(line), now: () => 0 });
    for (let i = 0; i < 250; i++) {
      const scope = metrics.scope('RenewAllLeases');
      scope.add('Time', i, 'Milliseconds');
      scope.end();
    }
    metrics.flush();
    const values = parse(lines).flatMap((document) => document['Time'] as number[]);
    expect(lines).toHaveLength(3);
    expect(values).toEqual(Array.from({ length: 250 }, (_, i) => i));
  });

  test.each([
    ['NONE', []],
    ['SUMMARY', ['MillisBehindLatest', 'ExpiredLeases']],
    [
      'DETAILED',
      ['KinesisDataFetcher.getRecords.Time', 'MillisBehindLatest', 'ListLeases.Time', 'ExpiredLeases', 'NeededLeases'],
    ],
  ] as const)('at level %s only its metrics are written', (level, expected) => {
    const lines: string[] = [];
    const metrics = new EmfMetrics({ namespace: 'app', write: (line) => lines.push(line), now: () => 0, level });
    const read = metrics.scope('ProcessTask');
    read.add('KinesisDataFetcher.getRecords.Time', 1, 'Milliseconds');
    read.add('MillisBehindLatest', 1, 'Milliseconds');
    read.end();
    const take = metrics.scope('TakeLeases');
    for (const name of ['ListLeases.Time', 'ExpiredLeases', 'NeededLeases']) take.add(name, 1, 'Count');
    take.end();
    metrics.flush();
    const names = parse(lines).flatMap((document) =>
      (document['_aws'] as { CloudWatchMetrics: { Metrics: { Name: string }[] }[] }).CloudWatchMetrics.flatMap(
        ({ Metrics }) => Metrics.map(({ Name }) => Name),
      ),
    );
    expect(names).toEqual(expected);
  });

  test('a worker reports KCL’s operations and metrics', async () => {
    const cluster = new Cluster(1, 2);
    cluster.publish(20);
    const host = new WorkerHost('w', cluster.time, cluster.random, cluster.table, cluster.stream);
    const lines: string[] = [];
    const metrics = new EmfMetrics({ namespace: 'app', write: (line) => lines.push(line), now: () => 0 });
    const scheduler = new Scheduler({
      config: { applicationName: 'app', streamName: 's', workerId: 'w', initialPosition: { type: 'TRIM_HORIZON' } },
      processorFactory: () => ({
        initialize: async () => undefined,
        processRecords: ({ checkpointer }) => checkpointer.checkpoint(),
        leaseLost: async () => undefined,
        shardEnded: ({ checkpointer }) => checkpointer.checkpoint(),
        shutdownRequested: async () => undefined,
      }),
      dependencies: { ...host.dependencies, metrics },
    });
    void scheduler.run();
    await cluster.time.run(10_000);
    await cluster.time.settle(scheduler.shutdown());
    metrics.flush();
    const of = (operation: string) =>
      Object.assign({}, ...parse(lines).filter((document) => document['Operation'] === operation)) as object;
    expect(Object.keys(of('ProcessTask'))).toEqual(
      expect.arrayContaining([
        'ShardId',
        'Success',
        'RecordsProcessed',
        'DataBytesProcessed',
        'MillisBehindLatest',
        'RecordProcessor.processRecords.Time',
      ]),
    );
    expect(Object.keys(of('RenewAllLeases'))).toEqual(expect.arrayContaining(['CurrentLeases', 'LostLeases', 'Time']));
    expect(Object.keys(of('TakeLeases'))).toEqual(
      expect.arrayContaining(['TotalLeases', 'NumWorkers', 'ExpiredLeases', 'NeededLeases', 'TakenLeases']),
    );
    expect(of('ProcessTask')).toHaveProperty(['KinesisDataFetcher.getRecords.Success']);
    expect(of('ProcessTask')).toHaveProperty(['KinesisDataFetcher.getRecords.Time']);
    expect(of('ApplicationTracker')).toHaveProperty('MillisBehindLatest');
    expect(of('ApplicationTracker')).not.toHaveProperty('ShardId');
  });
});
