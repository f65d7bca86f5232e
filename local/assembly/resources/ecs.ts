import { arn, physicalName } from '../names';
import { lowerCamelCase, optionalNumber, optionalText, pick, requireText } from '../provisioner';
import type { Provisioner } from '../provisioner';
import { unless } from '../service-calls';

export const cluster: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const clusterName = optionalText(properties, 'ClusterName') ?? physicalName(stack, logicalId, { maximumLength: 255 });
  await calls.json('ecs', 'CreateCluster', { clusterName });
  return { physicalId: clusterName, attributes: { Arn: arn('ecs', `cluster/${clusterName}`) } };
};

export const taskDefinition: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const family = optionalText(properties, 'Family') ?? physicalName(stack, logicalId, { maximumLength: 255 });
  const fields = pick(
    properties,
    'TaskRoleArn',
    'ExecutionRoleArn',
    'Cpu',
    'Memory',
    'ContainerDefinitions',
    'NetworkMode',
  );
  const input = { family, ...(lowerCamelCase(fields) as object) };
  const { taskDefinition: registered } = await calls.json('ecs', 'RegisterTaskDefinition', input);
  const { taskDefinitionArn } = registered as { taskDefinitionArn: string };
  return { physicalId: taskDefinitionArn, attributes: { TaskDefinitionArn: taskDefinitionArn } };
};

/** Without DesiredCount one task runs: scaling policies have no local meaning. */
export const service: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const serviceName = optionalText(properties, 'ServiceName') ?? physicalName(stack, logicalId, { maximumLength: 255 });
  const clusterName = (optionalText(properties, 'Cluster') ?? 'default').replace(/^.*\//, '');
  const settings = {
    cluster: clusterName,
    taskDefinition: requireText(properties, 'TaskDefinition'),
    desiredCount: optionalNumber(properties, 'DesiredCount') ?? 1,
  };
  const created = await unless(
    ['InvalidParameterException'],
    calls.json('ecs', 'CreateService', { serviceName, ...settings }),
  );
  if (created === undefined) await calls.json('ecs', 'UpdateService', { service: serviceName, ...settings });
  const ServiceArn = arn('ecs', `service/${clusterName}/${serviceName}`);
  return { physicalId: ServiceArn, attributes: { Name: serviceName, ServiceArn } };
};
