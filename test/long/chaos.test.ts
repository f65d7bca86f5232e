/** Three rounds of `npm run chaos`: real processes under faults, judged exactly. */
import { runCommand } from '../e2e/support/run';

test('three rounds end with every reading once, sealed features as a batch computes them, one execution a dataset', async () => {
  const { code, stdout, stderr } = await runCommand('bin/chaos.ts', ['--rounds', '3', '--json']);
  const summary = JSON.parse(stdout || '{}') as { ok?: boolean; failed?: unknown };
  expect({ ...summary, stderr: summary.ok ? '' : stderr.slice(-4_000) }).toMatchObject({
    ok: true,
    rounds: 3,
    failed: [],
  });
  expect(code).toBe(0);
}, 1_800_000);
