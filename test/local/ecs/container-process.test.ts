import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launchContainer } from '../../../local/services/ecs/container-process';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'container-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function start(code: string, onLine: (line: string) => void = () => undefined) {
  const file = path.join(directory, 'main.js');
  writeFileSync(file, code);
  return launchContainer({
    command: { file: process.execPath, arguments: [file, 'argument'], workingDirectory: directory },
    environment: { GIVEN: 'x' },
    onLine,
  });
}

test('inherits PATH and HOME only; its lines are handed over; its exit code is told', async () => {
  const lines: string[] = [];
  const container = start(
    'console.log(Object.keys(process.env).sort().join()); console.error(process.argv[2], process.cwd()); process.exitCode = 3;',
    (line) => lines.push(line),
  );
  expect(await container.exited).toEqual({ exitCode: 3, signal: null });
  const own = lines[0]!.split(',').filter((name) => !name.startsWith('NODE_CHANNEL'));
  expect(own).toEqual(['GIVEN', 'HOME', 'PATH']);
  expect(lines[1]).toMatch(/^argument .*container-/);
});

test('takes signals', async () => {
  const lines: string[] = [];
  let ready: () => void;
  const started = new Promise<void>((resolve) => (ready = resolve));
  const container = start(
    'process.on("SIGTERM", () => { console.log("draining"); process.exit(0); }); setInterval(() => {}, 1e6); console.log("ready");',
    (line) => {
      lines.push(line);
      if (line === 'ready') ready();
    },
  );
  await started;
  container.kill('SIGTERM');
  expect(await container.exited).toEqual({ exitCode: 0, signal: null });
  expect(lines).toEqual(['ready', 'draining']);
});

test('dies with the process that plays its host', async () => {
  const pidFile = path.join(directory, 'pid');
  const child = path.join(directory, 'child.js');
  writeFileSync(
    child,
    `require('node:fs').writeFileSync(${JSON.stringify(pidFile)} , String(process.pid)); console.log('up'); setInterval(() => {}, 1e6);`,
  );
  const host = path.join(directory, 'host.js');
  const preload = path.join(__dirname, '../../../local/services/ecs/die-with-host.mjs');
  writeFileSync(
    host,
    `const c = require('node:child_process').spawn(process.execPath, ['--import', ${JSON.stringify(preload)}, ${JSON.stringify(child)}], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], detached: true });
     c.stdout.on('data', () => console.log(c.pid)); setInterval(() => {}, 1e6);`,
  );
  const playing = spawn(process.execPath, [host], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number(
    await new Promise<string>((resolve) => playing.stdout.once('data', (chunk: Buffer) => resolve(String(chunk)))),
  );
  expect(() => process.kill(pid, 0)).not.toThrow();
  playing.kill('SIGKILL');
  for (let waited = 0; waited < 100; waited++) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.kill(pid, 'SIGKILL');
  throw new Error('the container outlived its host');
});
