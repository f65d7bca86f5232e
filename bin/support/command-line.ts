/** What every command shares: arguments, one-message errors, clean stops. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** A mistake of the person or their machine: shown as one message, never with a stack trace. */
export class UserError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses `args` strictly.
 * @throws UserError that names the argument and, with `usage`, what is allowed.
 */
export function parseCommand<O extends Options>(
  args: readonly string[],
  options: O,
  usage: string,
  allowPositionals = false,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    throw new UserError(`${(error as Error).message.split('\n')[0]}\n${usage}`);
  }
}

/** @throws UserError unless `text` is an integer in [minimum, maximum]. */
export function integerOption(name: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw new UserError(`--${name} is "${text}": it must be a whole number from ${minimum} to ${maximum}.`);
  }
  return value;
}

/** Runs a command's main function: a UserError becomes one message and exit code 1. */
export function runCommand(main: (args: string[]) => Promise<number | void>): void {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code ?? 0),
    (error: unknown) => {
      if (error instanceof UserError || process.env['DEBUG'] === undefined) {
        console.error(error instanceof Error ? error.message : String(error));
        if (!(error instanceof UserError)) console.error('Set DEBUG=1 to see where this came from.');
      } else {
        console.error(error);
      }
      process.exit(1);
    },
  );
}

/** Aborts at the first Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
