/** `npm run bench:kcl failover` with real processes: that nothing is lost or repeated. Never how fast. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'bench/kcl.ts', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('failover: SIGTERM with processes, nobody and the leader: nothing lost, nothing repeated', () => {
  const { status, stdout, stderr } = run('failover', '--failovers', '1', '--signal', 'SIGTERM', '--json');
  expect({ status, stderr }).toMatchObject({ status: 0 });
  type Failover = Record<'version' | 'signal', string> & Record<'medianMillis' | 'repeated' | 'lost', number>;
  const { failover } = JSON.parse(stdout) as { failover: (Failover & { ofLeader: boolean })[] };
  expect(failover.map(({ signal, ofLeader }) => `${signal} ${ofLeader}`)).toEqual([
    'SIGTERM false',
    'SIGTERM false',
    'SIGTERM true',
  ]);
  expect(failover.filter(({ lost, repeated }) => lost > 0 || repeated > 0)).toEqual([]);
  expect(failover.every(({ medianMillis }) => medianMillis > 0)).toBe(true);
}, 900_000);
