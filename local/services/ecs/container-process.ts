/** A container as a child process. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { ProcessCommand } from './dockerfile';

export interface ContainerExit {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Where the process could not be started at all. */
  readonly error?: string;
}

export interface ContainerProcess {
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<ContainerExit>;
}

export interface ContainerStart {
  readonly command: ProcessCommand;
  /** The whole environment; nothing else is inherited but PATH and HOME. */
  readonly environment: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}

export type LaunchContainer = (start: ContainerStart) => ContainerProcess;

const DIE_WITH_HOST = pathToFileURL(path.join(__dirname, 'die-with-host.mjs')).href;

export const launchContainer: LaunchContainer = ({ command, environment, onLine }) => {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(command.file, ['--import', DIE_WITH_HOST, ...command.arguments], {
    cwd: command.workingDirectory,
    env: { PATH, HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own: Ctrl-C at the terminal must not reach the task, which the run stops by SIGTERM as ECS does.
    detached: process.platform !== 'win32',
  });
  for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', onLine);
  const exited = new Promise<ContainerExit>((resolve) => {
    child.once('error', (error) => resolve({ exitCode: null, signal: null, error: error.message }));
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return { pid: child.pid, kill: (signal) => void child.kill(signal), exited };
};
