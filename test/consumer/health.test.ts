import { once } from 'node:events';
import { askHealth, healthSocket, serveHealth } from '../../consumer/health';
import { EmbeddedMetrics, jsonLog } from '../../consumer/log';

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('the health command sees what the consumer says, and that there is none', async () => {
  const path = healthSocket(`test-${process.pid}`);
  expect(await askHealth(path)).toMatchObject({ healthy: false });
  let healthy = true;
  const server = serveHealth(path, () => ({ healthy, detail: { state: 'STARTED' } }));
  await once(server, 'listening');
  expect(await askHealth(path)).toEqual({ healthy: true, detail: { state: 'STARTED' } });
  healthy = false;
  expect((await askHealth(path)).healthy).toBe(false);
  server.close();
});

test('metrics add up to one embedded metric line', () => {
  const lines: string[] = [];
  const metrics = new EmbeddedMetrics(
    'Telemetry',
    (line) => lines.push(line),
    () => 42,
  );
  metrics.publish();
  metrics.count('ReadingsCommitted', 2);
  metrics.count('ReadingsCommitted', 3);
  metrics.count('StreamGaps', 0);
  metrics.publish();
  metrics.publish();
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      _aws: {
        Timestamp: 42,
        CloudWatchMetrics: [
          { Namespace: 'Telemetry', Dimensions: [[]], Metrics: [{ Name: 'ReadingsCommitted', Unit: 'Count' }] },
        ],
      },
      ReadingsCommitted: 5,
    },
  ]);
});

test('logs are one JSON object a line, from the level on', () => {
  const lines: string[] = [];
  const log = jsonLog(
    (line) => lines.push(line),
    () => 0,
  );
  log('debug', 'left out');
  log('warn', 'kept', { shardId: 's' });
  expect(lines).toEqual(['{"time":"1970-01-01T00:00:00.000Z","level":"warn","event":"kept","shardId":"s"}\n']);
});
