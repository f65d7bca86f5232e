/** `node scripts/run.mjs <entry.ts> [arguments]`: installs what is missing, then runs the entry by tsx. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensureInstalled, root } from './ensure-installed.mjs';

ensureInstalled();
const [entry, ...rest] = process.argv.slice(2);
const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, entry), ...rest], {
  cwd: root,
  stdio: 'inherit',
  // The AWS SDK announces on every start when it will drop this Node; engines in package.json says what is supported.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...process.env },
});
// A terminal's Ctrl-C reaches the child by itself; a signal sent to this process alone is passed on.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
