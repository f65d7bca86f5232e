/** The stage of an environment, synthesized once per test file, without bundling. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import cdkJson from '../../../cdk.json';
import { environmentNames, loadConfig } from '../../../lib/config/environments';
import type { EnvironmentConfig } from '../../../lib/config/schema';
import type { ConsumerBundle } from '../../../lib/constructs/compute/consumer-bundle';
import { PipelineStage } from '../../../lib/stacks/pipeline-stage';
import { useCases } from '../../../use-cases';
import type { UseCase } from '../../../use-cases/define-use-case';

export { environmentNames };

/** A Docker context that never changes, in place of the consumer's. */
export function stubBundle(): ConsumerBundle {
  const root = mkdtempSync(path.join(tmpdir(), 'bundle-'));
  for (const name of ['consumer', 'processing']) {
    mkdirSync(path.join(root, name));
    writeFileSync(path.join(root, name, 'Dockerfile'), `FROM scratch\n# ${name}\nCOPY . /app/\n`);
  }
  return {
    consumerDirectory: path.join(root, 'consumer'),
    processingDirectory: path.join(root, 'processing'),
    codeVersion: 'code-version',
  };
}

export interface Synthesized {
  readonly app: App;
  readonly stage: PipelineStage;
  /** Stack name below the stage (`Stream`, `Lake`, …) → template. */
  readonly templates: ReadonlyMap<StackName, Template>;
}

export const stackNames = ['Network', 'Stream', 'Lake', 'Ingest', 'Consumer', 'Training', 'Observability'] as const;
export type StackName = (typeof stackNames)[number];

export function buildStage(
  config: EnvironmentConfig,
  cases: readonly UseCase[] = useCases,
): Pick<Synthesized, 'app' | 'stage'> {
  const app = new App({
    context: { ...cdkJson.context, 'aws:cdk:bundling-stacks': [] },
    builtinCloudFormationValidation: false,
  });
  const stage = new PipelineStage(app, `Telemetry-${config.name}`, { config, useCases: cases, bundle: stubBundle() });
  return { app, stage };
}

const cache = new Map<string, Synthesized>();

export function synthesize(environment: string): Synthesized {
  let synthesized = cache.get(environment);
  if (!synthesized) {
    const { app, stage } = buildStage(loadConfig(environment));
    synthesized = { app, stage, templates: templatesOf(stage) };
    cache.set(environment, synthesized);
  }
  return synthesized;
}

export function templatesOf(stage: PipelineStage): Map<StackName, Template> {
  const stacks: Record<StackName, Stack> = {
    Network: stage.network,
    Stream: stage.stream,
    Lake: stage.lake,
    Ingest: stage.ingest,
    Consumer: stage.consumer,
    Training: stage.training,
    Observability: stage.observability,
  };
  return new Map(stackNames.map((name) => [name, Template.fromStack(stacks[name])]));
}

/** The template with every hash of an asset or definition masked: what it holds, not which build it came from. */
export function masked(template: Template): unknown {
  return JSON.parse(JSON.stringify(template.toJSON()).replace(/\b[0-9a-f]{64}\b/g, '<hash>'));
}

export interface Resource {
  readonly Type: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- templates are checked by shape
  readonly Properties: any;
  readonly DeletionPolicy?: string;
}

/** Every resource of a type over all stacks, by `<stack>/<logical id>`. */
export function resourcesOf({ templates }: Synthesized, type?: string): Map<string, Resource> {
  const found = new Map<string, Resource>();
  for (const [stack, template] of templates) {
    const resources = template.toJSON().Resources as Record<string, Resource>;
    for (const [id, resource] of Object.entries(resources)) {
      if (type === undefined || resource.Type === type) found.set(`${stack}/${id}`, resource);
    }
  }
  return found;
}
