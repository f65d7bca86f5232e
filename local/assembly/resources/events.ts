import { arn, physicalName } from '../names';
import { listOf, optionalText, pick, requireText } from '../provisioner';
import type { Provisioner } from '../provisioner';
import { unless } from '../service-calls';

const DEFAULT_BUS = 'default';

export const rule: Provisioner = async ({ stack, logicalId, properties, previous }, calls) => {
  const Name = optionalText(properties, 'Name') ?? physicalName(stack, logicalId, { maximumLength: 64 });
  const bus = optionalText(properties, 'EventBusName') ?? DEFAULT_BUS;
  const EventBusName = bus.slice(bus.lastIndexOf('/') + 1);
  const pattern = properties['EventPattern'];
  await calls.json('events', 'PutRule', {
    Name,
    EventBusName,
    ...pick(properties, 'State', 'Description', 'ScheduleExpression', 'RoleArn'),
    ...(pattern !== undefined && { EventPattern: typeof pattern === 'string' ? pattern : JSON.stringify(pattern) }),
  });
  const Targets = listOf(properties, 'Targets');
  const ids = new Set(Targets.map(({ Id }) => Id));
  const gone = listOf(previous ?? {}, 'Targets').filter(({ Id }) => !ids.has(Id));
  if (gone.length > 0)
    await calls.json('events', 'RemoveTargets', { Rule: Name, EventBusName, Ids: gone.map(({ Id }) => Id) });
  if (Targets.length > 0) await calls.json('events', 'PutTargets', { Rule: Name, EventBusName, Targets });
  const onDefault = EventBusName === DEFAULT_BUS;
  return {
    physicalId: onDefault ? Name : `${EventBusName}|${Name}`,
    attributes: { Arn: arn('events', `rule/${onDefault ? '' : `${EventBusName}/`}${Name}`) },
  };
};

export const eventBus: Provisioner = async ({ properties }, calls) => {
  const Name = requireText(properties, 'Name');
  await unless(['ResourceAlreadyExistsException'], calls.json('events', 'CreateEventBus', { Name }));
  return { physicalId: Name, attributes: { Arn: arn('events', `event-bus/${Name}`), Name } };
};
