/**
 * What a Dockerfile would run, as a process on this machine: WORKDIR, COPY, ENV, ENTRYPOINT and CMD. Nothing is built, so
 * an image whose contents come from RUN or ADD cannot be run this way.
 * @see https://docs.docker.com/reference/dockerfile/
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Image {
  /** Build context. */
  readonly directory: string;
  readonly workingDirectory: string;
  readonly copies: readonly { readonly source: string; readonly destination: string }[];
  readonly environment: Readonly<Record<string, string>>;
  readonly entryPoint: readonly string[];
  readonly command: readonly string[];
}

/** Instructions that change nothing about the process. */
const IGNORED = new Set([
  'FROM',
  'ARG',
  'LABEL',
  'EXPOSE',
  'USER',
  'HEALTHCHECK',
  'STOPSIGNAL',
  'VOLUME',
  'MAINTAINER',
  'SHELL',
]);

/** @throws Error that names the file, the line and the instruction. */
export function readImage(directory: string): Image {
  const file = path.join(directory, 'Dockerfile');
  if (!existsSync(file)) throw new Error(`the image asset ${directory} has no Dockerfile`);
  const image = {
    workingDirectory: '/',
    copies: [] as Image['copies'][number][],
    environment: {} as Record<string, string>,
    entryPoint: [] as string[],
    command: [] as string[],
  };
  for (const { number, instruction, argument } of instructions(readFileSync(file, 'utf8'))) {
    const fail = (problem: string): never => {
      throw new Error(`${file}, line ${number}: ${problem}`);
    };
    switch (instruction) {
      case 'WORKDIR':
        image.workingDirectory = path.posix.resolve(image.workingDirectory, argument);
        break;
      case 'COPY':
        image.copies.push(...readCopies(argument, image.workingDirectory, fail));
        break;
      case 'ENV':
        Object.assign(image.environment, readVariables(argument, fail));
        break;
      case 'ENTRYPOINT':
        image.entryPoint = readCommand(instruction, argument, fail);
        break;
      case 'CMD':
        image.command = readCommand(instruction, argument, fail);
        break;
      default:
        if (!IGNORED.has(instruction))
          fail(`${instruction} needs an image to be built; the local run takes only files that are copied`);
    }
  }
  return { directory, ...image };
}

/** Place in the build context of a path inside the container; undefined for what does not come from a COPY. */
export function toHostPath(image: Image, containerPath: string): string | undefined {
  const absolute = path.posix.resolve(image.workingDirectory, containerPath);
  for (const { source, destination } of [...image.copies].reverse()) {
    const host = path.join(image.directory, source);
    const isFile = existsSync(host) && statSync(host).isFile();
    const target = isFile && destination.endsWith('/') ? destination + path.basename(source) : destination;
    const relative = path.posix.relative(target, absolute);
    if (relative === '' || (!isFile && !relative.startsWith('..') && !path.posix.isAbsolute(relative)))
      return path.join(host, relative);
  }
  return undefined;
}

export interface ProcessCommand {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly workingDirectory: string;
}

/**
 * The container's process: Node itself is this process's own, paths of copied files become theirs in the build context.
 * @throws Error for a command that is not Node's.
 */
export function toProcess(
  image: Image,
  overrides: { entryPoint?: readonly string[]; command?: readonly string[] },
): ProcessCommand {
  const entryPoint = overrides.entryPoint ?? image.entryPoint;
  const command = overrides.command ?? (overrides.entryPoint === undefined ? image.command : []);
  const [program, ...rest] = [...entryPoint, ...command];
  if (program === undefined) throw new Error(`the image ${image.directory} has neither ENTRYPOINT nor CMD`);
  if (path.posix.basename(program) !== 'node') {
    throw new Error(`the image ${image.directory} starts ${program}; the local run can start node only`);
  }
  return {
    file: process.execPath,
    arguments: rest.map((argument) =>
      argument.startsWith('/') ? (toHostPath(image, argument) ?? argument) : argument,
    ),
    workingDirectory: toHostPath(image, '.') ?? image.directory,
  };
}

type Fail = (problem: string) => never;

function* instructions(text: string): Generator<{ number: number; instruction: string; argument: string }> {
  let pending = '';
  let start = 0;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (pending === '') start = index + 1;
    pending += line.trim();
    if (pending.endsWith('\\')) {
      pending = `${pending.slice(0, -1).trimEnd()} `;
      continue;
    }
    const [, instruction, argument] = /^(\w+)\s*(.*)$/s.exec(pending) ?? [];
    pending = '';
    if (instruction !== undefined) yield { number: start, instruction: instruction.toUpperCase(), argument: argument! };
  }
}

function readCopies(argument: string, workingDirectory: string, fail: Fail): Image['copies'][number][] {
  if (/^--from=/m.test(argument)) fail('COPY --from needs an image to be built');
  const words = argument.startsWith('[')
    ? readArray('COPY', argument, fail)
    : argument.split(/\s+/).filter((word) => !word.startsWith('--'));
  const target = words.pop();
  if (target === undefined || words.length === 0) return fail('COPY wants a source and a destination');
  const directory = target.endsWith('/') || words.length > 1;
  const destination = path.posix.resolve(workingDirectory, target) + (directory ? '/' : '');
  return words.map((source) => ({ source, destination }));
}

function readVariables(argument: string, fail: Fail): Record<string, string> {
  const pairs = [...argument.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|\S*)/g)];
  if (pairs.length === 0) return fail('ENV wants name=value');
  return Object.fromEntries(
    pairs.map(([, name, value]) => [name!, value!.replace(/^"(.*)"$/s, '$1').replace(/\\(.)/g, '$1')]),
  );
}

function readCommand(instruction: string, argument: string, fail: Fail): string[] {
  if (!argument.startsWith('['))
    return fail(`${instruction} in shell form needs a shell; use the exec form ["node", …]`);
  return readArray(instruction, argument, fail);
}

function readArray(instruction: string, argument: string, fail: Fail): string[] {
  try {
    const words: unknown = JSON.parse(argument);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // Reported below.
  }
  return fail(`${instruction} wants a JSON list of strings`);
}
