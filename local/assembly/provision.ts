/** Provisions every resource of an assembly's stacks, in order, as CloudFormation would. */
import type { Assembly, Stack, TemplateResource } from './assembly';
import { inDependencyOrder } from './assembly';
import { Resolver, dependenciesOf } from './intrinsics';
import type { Properties, Provisioned } from './provisioner';
import { provisionerOf } from './resources';
import type { ServiceCalls } from './service-calls';

export interface ProvisionedResource {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  /** Value of `Ref`. */
  readonly physicalId: string;
}

export interface Provisioning {
  readonly resources: readonly ProvisionedResource[];
  /** Outputs that the app declares, without the exports that the CDK adds for references between stacks. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Properties as provisioned, by stack and logical id: what the next run compares with. */
  readonly properties: ProvisionedProperties;
}

export type ProvisionedProperties = Readonly<Record<string, Readonly<Record<string, Properties>>>>;

/**
 * @param previous properties of the run before, where there was one
 * @throws Error that names stack, logical id and type
 */
export async function provision(
  assembly: Assembly,
  calls: ServiceCalls,
  previous: ProvisionedProperties = {},
): Promise<Provisioning> {
  const shared: Shared = { exports: new Map(), outputs: new Map(), resources: [], declared: {}, properties: {} };
  refuseUnknownTypes(assembly.stacks);
  for (const stack of assembly.stacks) await provisionStack(stack, calls, shared, previous[stack.name] ?? {});
  return { resources: shared.resources, outputs: shared.declared, properties: shared.properties };
}

interface Shared {
  readonly exports: Map<string, string>;
  /** `<stack> <output>` */
  readonly outputs: Map<string, string>;
  readonly resources: ProvisionedResource[];
  readonly declared: Record<string, string>;
  readonly properties: Record<string, Record<string, Properties>>;
}

/** Before anything is provisioned, so that a run that cannot be whole leaves nothing half-done. */
function refuseUnknownTypes(stacks: readonly Stack[]): void {
  const unknown = stacks.flatMap(({ name, template }) =>
    Object.entries(template.Resources ?? {})
      .filter(([, { Type }]) => provisionerOf(Type) === undefined)
      .map(([logicalId, { Type }]) => `stack ${name}: ${logicalId} is of type ${Type}`),
  );
  if (unknown.length === 0) return;
  throw new Error(
    `the local run does not know every resource of the templates: ${unknown.join('; ')}. ` +
      'Add a provisioner in local/assembly/resources, or list the type in without-local-meaning.ts with the reason.',
  );
}

async function provisionStack(
  { name: stack, template }: Stack,
  calls: ServiceCalls,
  shared: Shared,
  previous: Readonly<Record<string, Properties>>,
): Promise<void> {
  const done = new Map<string, Provisioned>();
  const resolver = new Resolver(stack, template, {
    ref: (logicalId) => done.get(logicalId)?.physicalId,
    attribute: (logicalId, attribute) =>
      attributeOf(done.get(logicalId), template.Resources?.[logicalId], logicalId, attribute),
    importValue: (name) => shared.exports.get(name),
    stackOutput: (name, output) => shared.outputs.get(`${name} ${output}`),
  });
  const holds = (condition: string | undefined, path: string) =>
    condition === undefined || resolver.condition(condition, path);

  const resources = Object.fromEntries(
    Object.entries(template.Resources ?? {}).filter(([logicalId, { Condition }]) => holds(Condition, logicalId)),
  );
  const order = inDependencyOrder(
    Object.keys(resources),
    (id) => dependenciesOf(resources[id]!),
    `resources of stack ${stack}`,
  );
  const properties: Record<string, Properties> = {};
  for (const logicalId of order) {
    const { Type: type, Properties: raw = {} } = resources[logicalId]!;
    const resolved = resolver.resolve(raw, `${logicalId}.Properties`) as Properties;
    const request = { stack, logicalId, type, properties: resolved, previous: previous[logicalId] };
    try {
      const provisioned = await provisionerOf(type)!(request, calls);
      done.set(logicalId, provisioned);
      shared.resources.push({ stack, logicalId, type, physicalId: provisioned.physicalId });
    } catch (error) {
      throw new Error(`stack ${stack}: ${logicalId} (${type}): ${(error as Error).message}`, { cause: error });
    }
    properties[logicalId] = resolved;
  }
  shared.properties[stack] = properties;

  for (const [key, output] of Object.entries(template.Outputs ?? {})) {
    if (!holds(output.Condition, `Outputs.${key}`)) continue;
    const value = String(resolver.resolve(output.Value, `Outputs.${key}`));
    shared.outputs.set(`${stack} ${key}`, value);
    if (output.Export !== undefined)
      shared.exports.set(String(resolver.resolve(output.Export.Name, `Outputs.${key}`)), value);
    if (!/^(Exports|Publish)Output/.test(key)) shared.declared[key] = value;
  }
}

function attributeOf(
  provisioned: Provisioned | undefined,
  resource: TemplateResource | undefined,
  logicalId: string,
  attribute: string,
): unknown {
  if (provisioned === undefined)
    throw new Error(`Fn::GetAtt of ${logicalId}: there is no such resource, or it is not provisioned yet`);
  const value = provisioned.attributes?.[attribute];
  if (value !== undefined) return value;
  const known = Object.keys(provisioned.attributes ?? {}).join(', ') || 'none';
  throw new Error(`Fn::GetAtt: ${logicalId} (${resource?.Type}) has no attribute ${attribute} here; it has ${known}`);
}
