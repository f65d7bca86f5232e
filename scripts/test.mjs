/**
 * `npm test`: type check, lint, then jest. `npm run test:all` adds the long suites of test/long. Further arguments go to
 * jest, and then only jest runs: `npm test -- test/lake`.
 */
import { spawnSync } from 'node:child_process';
import { ensureInstalled, root } from './ensure-installed.mjs';

ensureInstalled();
const given = process.argv.slice(2);
const all = given.includes('--all');
const jestArguments = given.filter((argument) => argument !== '--all');

run('prettier', ['--check', '.'], jestArguments.length === 0);
run('tsc', ['--noEmit'], jestArguments.length === 0);
run('eslint', ['.'], jestArguments.length === 0);
run(
  'jest',
  [...(all || jestArguments.length > 0 ? [] : ['--testPathIgnorePatterns', '<rootDir>/test/long/']), ...jestArguments],
  true,
);

function run(tool, args, wanted) {
  if (!wanted) return;
  console.log(`> ${tool} ${args.join(' ')}`);
  const { status } = spawnSync('npx', ['--no-install', tool, ...args], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}
