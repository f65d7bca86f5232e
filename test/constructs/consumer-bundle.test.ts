import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundleConsumer } from '../../lib/constructs/compute/consumer-bundle';

const output = mkdtempSync(path.join(tmpdir(), 'bundle-'));
const first = bundleConsumer(output);

test('is one Docker context per platform, with the same code', () => {
  const files = readdirSync(first.consumerDirectory).sort();
  expect(files).toEqual(expect.arrayContaining(['Dockerfile', 'fold-worker.js', 'main.js', 'main.js.map']));
  expect(readdirSync(first.processingDirectory).sort()).toEqual(files);
  const main = (directory: string): string => readFileSync(path.join(directory, 'main.js'), 'utf8');
  expect(main(first.processingDirectory) === main(first.consumerDirectory)).toBe(true);
});

test('the Dockerfiles only copy, so that any machine can build them; only the consumer gives up root', () => {
  const instructions = (directory: string): string[] =>
    readFileSync(path.join(directory, 'Dockerfile'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ')[0]!);
  expect(instructions(first.consumerDirectory)).toEqual(['FROM', 'WORKDIR', 'COPY', 'USER', 'ENTRYPOINT']);
  expect(instructions(first.processingDirectory)).toEqual(['FROM', 'WORKDIR', 'COPY', 'ENTRYPOINT']);
});

test('the same sources give the same bytes, and unchanged files are left alone', () => {
  const modified = (): number[] =>
    readdirSync(first.consumerDirectory).map((name) => statSync(path.join(first.consumerDirectory, name)).mtimeMs);
  const before = modified();
  expect(bundleConsumer(output)).toEqual(first);
  expect(modified()).toEqual(before);
  expect(first.codeVersion).toMatch(/^[0-9a-f]{16}$/);
  expect(bundleConsumer(mkdtempSync(path.join(tmpdir(), 'bundle-'))).codeVersion).toBe(first.codeVersion);
});

test('what does not belong goes, what was damaged is written again', () => {
  const stale = path.join(first.consumerDirectory, 'old-worker.js');
  const main = path.join(first.consumerDirectory, 'main.js');
  const before = readFileSync(main, 'utf8');
  writeFileSync(stale, 'old');
  writeFileSync(main, 'damaged');
  bundleConsumer(output);
  expect(readdirSync(first.consumerDirectory)).not.toContain('old-worker.js');
  expect(readFileSync(main, 'utf8') === before).toBe(true);
});

test('runs by itself: no package beside it', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [path.join(first.processingDirectory, 'main.js'), ...args], {
      encoding: 'utf8',
      cwd: tmpdir(),
      env: { PATH: process.env.PATH },
    });
  const evaluate = run('evaluate', '--use-case', 'sensor-monitoring');
  expect(evaluate.status).toBe(1);
  expect(evaluate.stderr).toMatch(/missing --model, --test, --dataset, --output/);
  expect(run('no-such-command').stderr).toMatch(/unknown command no-such-command/);
});
