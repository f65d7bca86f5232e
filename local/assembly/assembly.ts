/**
 * Reads a synthesized cloud assembly (cdk.out): the stacks of the app and of its stages in deployment order, and the
 * directories of their assets. Only the assembly's published format is used, never the app that made it.
 * @see https://github.com/aws/aws-cdk-cli/tree/main/packages/@aws-cdk/cloud-assembly-schema
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Template {
  readonly Parameters?: Readonly<Record<string, { readonly Type: string; readonly Default?: unknown }>>;
  readonly Mappings?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources?: Readonly<Record<string, TemplateResource>>;
  readonly Outputs?: Readonly<Record<string, TemplateOutput>>;
}

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
  readonly Condition?: string;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

export interface TemplateOutput {
  readonly Value: unknown;
  readonly Description?: string;
  readonly Condition?: string;
  readonly Export?: { readonly Name: unknown };
}

export interface Stack {
  readonly name: string;
  readonly template: Template;
}

export interface Assembly {
  /** In deployment order: a stack comes after all that it depends on. */
  readonly stacks: readonly Stack[];
  /** Path of the file asset that is published under this S3 object key: a directory, or a file. */
  fileAsset(objectKey: string): string | undefined;
  /** Build directory of the image asset that is published under this tag. */
  imageAsset(imageTag: string): string | undefined;
}

interface Manifest {
  readonly artifacts?: Readonly<Record<string, Artifact>>;
}

interface Artifact {
  readonly type: string;
  readonly dependencies?: readonly string[];
  readonly properties?: {
    readonly templateFile?: string;
    readonly stackName?: string;
    readonly file?: string;
    readonly directoryName?: string;
  };
}

interface AssetManifest {
  readonly files?: Readonly<
    Record<string, { source: { path?: string }; destinations: Readonly<Record<string, { objectKey: string }>> }>
  >;
  readonly dockerImages?: Readonly<
    Record<string, { source: { directory?: string }; destinations: Readonly<Record<string, { imageTag: string }>> }>
  >;
}

/** @throws Error where the directory holds no assembly, or stacks depend on each other in a circle. */
export function readAssembly(directory: string): Assembly {
  const stacks: Stack[] = [];
  const files = new Map<string, string>();
  const images = new Map<string, string>();
  readDirectory(resolve(directory), stacks, files, images);
  if (stacks.length === 0) throw new Error(`the cloud assembly ${directory} holds no stack`);
  return { stacks, fileAsset: (key) => files.get(key), imageAsset: (tag) => images.get(tag) };
}

function readDirectory(
  directory: string,
  stacks: Stack[],
  files: Map<string, string>,
  images: Map<string, string>,
): void {
  const path = join(directory, 'manifest.json');
  if (!existsSync(path))
    throw new Error(`${directory} is no cloud assembly: it has no manifest.json; run \`npx cdk synth\``);
  const artifacts = (readJson(path) as Manifest).artifacts ?? {};
  for (const id of deploymentOrder(artifacts)) {
    const { type, properties = {} } = artifacts[id]!;
    if (type === 'aws:cloudformation:stack') {
      const template = readJson(join(directory, properties.templateFile!)) as Template;
      stacks.push({ name: properties.stackName ?? id, template });
    } else if (type === 'cdk:asset-manifest') {
      const manifest = readJson(join(directory, properties.file!)) as AssetManifest;
      for (const { source, destinations } of Object.values(manifest.files ?? {})) {
        if (source.path === undefined) continue;
        for (const { objectKey } of Object.values(destinations)) files.set(objectKey, resolve(directory, source.path));
      }
      for (const { source, destinations } of Object.values(manifest.dockerImages ?? {})) {
        if (source.directory === undefined) continue;
        for (const { imageTag } of Object.values(destinations))
          images.set(imageTag, resolve(directory, source.directory));
      }
    } else if (type === 'cdk:cloud-assembly') {
      readDirectory(join(directory, properties.directoryName!), stacks, files, images);
    }
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function deploymentOrder(artifacts: Readonly<Record<string, Artifact>>): string[] {
  return inDependencyOrder(Object.keys(artifacts), (id) => artifacts[id]!.dependencies ?? [], 'stacks of the assembly');
}

/**
 * Each name after those it depends on, otherwise in the order given; unknown dependencies are ignored.
 * @throws Error that names the circle.
 */
export function inDependencyOrder(
  names: readonly string[],
  dependenciesOf: (name: string) => Iterable<string>,
  what: string,
): string[] {
  const known = new Set(names);
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): void => {
    if (done.has(name)) return;
    if (path.includes(name))
      throw new Error(`${what} depend on each other: ${[...path.slice(path.indexOf(name)), name].join(' → ')}`);
    path.push(name);
    for (const dependency of dependenciesOf(name)) if (known.has(dependency)) visit(dependency);
    path.pop();
    done.add(name);
  };
  for (const name of names) visit(name);
  return [...done];
}
