/**
 * The directory that a local run keeps everything in, and the lock that makes it the only one there.
 *
 * | file               | content                                                          |
 * | `lock`             | process id of the run; stale after a kill, and taken over then    |
 * | `run.json`         | {@link RunFile}, while the run is up, for other commands          |
 * | `provisioned.json` | the templates' properties as last provisioned                     |
 * | `logs/`            | requests, tasks, functions, jobs                                  |
 * | others             | one folder per service                                           |
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ProvisionedProperties } from '../assembly/provision';

export interface RunFile {
  readonly endpoint: string;
  readonly mqttPort: number;
  readonly pid: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** The stacks' outputs by name. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Directories that are open in this process, which its own id in a lock cannot tell. */
const open = new Set<string>();

export class StateDirectory {
  private constructor(readonly directory: string) {}

  /** @throws Error that names the running process where there is one */
  static open(directory: string): StateDirectory {
    const absolute = path.resolve(directory);
    mkdirSync(absolute, { recursive: true });
    const state = new StateDirectory(absolute);
    state.lock();
    open.add(absolute);
    return state;
  }

  path(...parts: readonly string[]): string {
    return path.join(this.directory, ...parts);
  }

  readProvisioned(): ProvisionedProperties {
    const file = this.path('provisioned.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ProvisionedProperties) : {};
  }

  writeProvisioned(properties: ProvisionedProperties): void {
    this.write('provisioned.json', properties);
  }

  writeRun(run: RunFile): void {
    this.write('run.json', run);
  }

  close(): void {
    rmSync(this.path('run.json'), { force: true });
    rmSync(this.path('lock'), { force: true });
    open.delete(this.directory);
  }

  private lock(): void {
    const file = this.path('lock');
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = Number(readFileSync(file, 'utf8'));
      if (open.has(this.directory) || (pid !== process.pid && isAlive(pid))) {
        throw new Error(
          `a local run is up already over ${this.directory} (process ${pid}): stop it first, or use another state directory; ` +
            `if process ${pid} is something else, delete ${file}`,
          { cause: error },
        );
      }
      // The run was killed; what it left in run.json is gone with it.
      rmSync(this.path('run.json'), { force: true });
      writeFileSync(file, String(process.pid));
    }
  }

  /** Whole or not at all: other commands read while the run writes. */
  private write(name: string, content: unknown): void {
    const next = this.path(`${name}.next`);
    writeFileSync(next, `${JSON.stringify(content, undefined, 2)}\n`);
    renameSync(next, this.path(name));
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
