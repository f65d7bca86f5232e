import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { buildSync } from 'esbuild';

const ROOT = path.join(__dirname, '../../..');

/** Bundle name → source. Worker threads are started from files beside main.js. */
const ENTRY_POINTS: Record<string, string> = {
  main: 'consumer/main.ts',
  'fold-worker': 'consumer/lake/fold-worker.ts',
  'renewer-thread': 'consumer/kcl/workers/renewer-thread.ts',
};

/** The consumer as plain JavaScript in two Docker contexts: for Fargate (arm64, non-root) and SageMaker (amd64, root). */
export interface ConsumerBundle {
  /** Docker context of the Fargate image. */
  readonly consumerDirectory: string;
  /** Docker context of the SageMaker Processing image. */
  readonly processingDirectory: string;
  /** First 16 hex digits of the sha256 of the code: what intents and generations record as their maker. */
  readonly codeVersion: string;
}

/**
 * Bundles the consumer with esbuild into `build/`. The same sources give the same bytes, so an unchanged consumer
 * deploys nothing. Files are replaced one by one and only when they differ: several syntheses may run at once.
 */
export function bundleConsumer(outputDirectory = path.join(ROOT, 'build')): ConsumerBundle {
  const { outputFiles } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(
      Object.entries(ENTRY_POINTS).filter(([, source]) => existsSync(path.join(ROOT, source))),
    ),
    bundle: true,
    platform: 'node',
    // The local run starts the same bundle on the Node that it runs on.
    target: 'node20',
    format: 'cjs',
    // The ES modules of the AWS SDK can be tree-shaken.
    mainFields: ['module', 'main'],
    sourcemap: 'linked',
    sourcesContent: false,
    outdir: 'out',
    write: false,
    logLevel: 'warning',
  });
  const code = outputFiles.map((file) => ({ name: path.basename(file.path), contents: file.contents }));
  const context = (name: string, dockerfile: string): string => {
    const directory = path.join(outputDirectory, name);
    const contents = readFileSync(path.join(ROOT, 'consumer', dockerfile));
    writeDirectory(directory, [...code, { name: 'Dockerfile', contents }]);
    return directory;
  };
  return {
    consumerDirectory: context('consumer', 'Dockerfile'),
    processingDirectory: context('processing', 'processing.Dockerfile'),
    codeVersion: hash(code.filter(({ name }) => name.endsWith('.js'))),
  };
}

interface BundledFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

function hash(files: readonly BundledFile[]): string {
  const sha256 = createHash('sha256');
  for (const { name, contents } of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    sha256.update(`${name}\0${contents.byteLength}\0`).update(contents);
  }
  return sha256.digest('hex').slice(0, 16);
}

function writeDirectory(directory: string, files: readonly BundledFile[]): void {
  mkdirSync(directory, { recursive: true });
  const names = new Set(files.map(({ name }) => name));
  for (const stale of readdirSync(directory)) {
    if (!names.has(stale) && !stale.startsWith('.'))
      rmSync(path.join(directory, stale), { recursive: true, force: true });
  }
  for (const { name, contents } of files) {
    const file = path.join(directory, name);
    if (existsSync(file) && readFileSync(file).equals(contents)) continue;
    const temporary = path.join(path.dirname(directory), `.${randomUUID()}`);
    writeFileSync(temporary, contents);
    renameSync(temporary, file);
  }
}
