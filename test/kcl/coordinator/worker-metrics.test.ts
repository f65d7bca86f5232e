/** Mirrors KCL's WorkerMetricStatsTest, WorkerMetricStatsReporterTest and EcsCpuWorkerMetricTest. */
import { CoordinatorTable } from '../../../consumer/kcl/coordinator/coordinator-table';
import { containerCpuLimit, EcsCpu } from '../../../consumer/kcl/coordinator/ecs-cpu';
import { statsFromItem } from '../../../consumer/kcl/coordinator/worker-metric-stats';
import { WorkerMetricsReporter } from '../../../consumer/kcl/coordinator/worker-metrics-reporter';
import type { WorkerMetric } from '../../../consumer/kcl/dependencies';
import { LeaseBench } from '../support/leases';

function reporter(bench: LeaseBench, workerMetrics: WorkerMetric[], keyAttribute = 'leaseKey'): WorkerMetricsReporter {
  const { dynamodb, clock, log, metrics } = bench.host.dependencies;
  const table = new CoordinatorTable({ dynamodb, clock, tableName: 'app', keyAttribute, requestTimeout: 3_000 });
  return new WorkerMetricsReporter({ table, workerId: 'me', workerMetrics, clock, log, metrics });
}

test('the row has KCL’s short names; unknown attributes survive; the last ten averages are kept', async () => {
  const bench = new LeaseBench();
  let value = 0;
  const one = reporter(bench, [{ shortName: 'C', maxUtilization: 80, capture: async () => ++value }]);
  await bench.wait(one.report());
  const seconds = { N: '1700000000' };
  expect(bench.table.rows.get('me')).toEqual({
    leaseKey: { S: 'me' },
    entityType: { S: 'WORKER_METRIC_STATS' },
    lut: seconds,
    sts: { M: { C: { L: [{ N: '1' }] } } },
    opr: { M: { C: { L: [{ N: '80' }] } } },
    sup: { N: '1' },
    slu: seconds,
  });
  bench.table.rows.set('me', { ...bench.table.rows.get('me')!, properties: { M: { a: { S: 'b' } } } });
  for (let i = 0; i < 11; i++) await bench.wait(one.report());
  const row = bench.table.rows.get('me')!;
  expect(row['properties']).toEqual({ M: { a: { S: 'b' } } });
  expect(statsFromItem(row, 'leaseKey')?.metricStats).toEqual({ C: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] });
});

test('a measurement that fails is reported as -1; without metrics the maps are empty; the row goes when the worker goes', async () => {
  const bench = new LeaseBench();
  const failing = reporter(bench, [
    { shortName: 'C', maxUtilization: 100, capture: () => Promise.reject(new Error('no')) },
  ]);
  await bench.wait(failing.report());
  expect(statsFromItem(bench.table.rows.get('me')!, 'leaseKey')?.metricStats).toEqual({ C: [-1] });
  await bench.wait(failing.withdraw());
  expect(bench.table.rows.size).toBe(0);
  await bench.wait(reporter(bench, []).report());
  expect(bench.table.rows.get('me')).toMatchObject({ sts: { M: {} }, opr: { M: {} } });
});

test('a row that cannot be read is no worker', () => {
  expect(statsFromItem({ sts: { M: {} } }, 'leaseKey')).toBeUndefined();
  expect(statsFromItem({ leaseKey: { S: 'a' }, sts: { M: { C: { L: [{ S: 'x' }] } } } }, 'leaseKey')).toBeUndefined();
});

describe('EcsCpu (EcsCpuWorkerMetricTest)', () => {
  const URI = 'http://metadata/v4/container';
  const stats = (used: number, system: number) => ({
    cpu_stats: { cpu_usage: { total_usage: used }, system_cpu_usage: system, online_cpus: 4 },
  });
  const TASK = {
    Limits: { CPU: 2 },
    Containers: [
      { DockerId: 'me', Limits: { CPU: 30 } },
      { DockerId: 'sidecar', Limits: { CPU: 10 } },
    ],
  };

  test('utilisation is the mean between two readings, of the container’s part of the task’s vCPUs', async () => {
    let now = stats(100, 1_000);
    const read: string[] = [];
    const cpu = new EcsCpu({
      metadataUri: URI,
      readJson: async (url) => {
        read.push(url);
        return url.endsWith('/stats') ? now : url.endsWith('/task') ? TASK : { DockerId: 'me' };
      },
    });
    // Since its start: 100/1000 of 4 CPUs = 0.4 of 1.5.
    expect(await cpu.capture()).toBeCloseTo(26.67, 1);
    now = stats(400, 2_000);
    expect(await cpu.capture()).toBeCloseTo(80, 5);
    now = stats(1_400, 3_000);
    expect(await cpu.capture()).toBe(100);
    expect(await cpu.capture()).toBe(0);
    expect(read.filter((url) => url === `${URI}/task`)).toHaveLength(1);
  });

  test('limits that are missing: the task’s CPUs are the machine’s, a container’s shares 2', () => {
    expect(containerCpuLimit({ Containers: [{ DockerId: 'me' }] }, { DockerId: 'me' }, 4)).toBe(4);
    const two = { Containers: [{ DockerId: 'me' }, { DockerId: 'b', Limits: { CPU: 6 } }] };
    expect(containerCpuLimit(two, { DockerId: 'me' }, 4)).toBe(1);
    expect(containerCpuLimit({}, {}, 4)).toBe(4);
  });

  test('an answer without CPU statistics is an error', async () => {
    const cpu = new EcsCpu({ metadataUri: URI, readJson: async () => ({}) });
    await expect(cpu.capture()).rejects.toThrow('cpu_stats');
  });
});
