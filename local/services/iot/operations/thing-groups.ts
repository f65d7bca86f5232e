import { randomUUID } from 'node:crypto';
import { AwsError } from '../../../gateway/service';
import type { Registry, Thing } from '../registry';
import { arnOf, exists, found, nameOf, page, seconds, text } from './operation';
import type { Input, Operation } from './operation';
import { thingOf } from './things';

const createThingType: Operation = async (input, { registry, clock }) => {
  const thingTypeName = nameOf(input, 'thingTypeName');
  const present = registry.thingTypes.get(thingTypeName);
  const thingTypeProperties = (input['thingTypeProperties'] ?? {}) as Record<string, unknown>;
  if (present !== undefined && JSON.stringify(present.thingTypeProperties) !== JSON.stringify(thingTypeProperties))
    throw exists('Thing type', thingTypeName);
  const type = present ?? {
    thingTypeName,
    thingTypeId: randomUUID(),
    thingTypeProperties,
    deprecated: false,
    creationDate: clock.now(),
  };
  if (present === undefined) await registry.thingTypes.set(thingTypeName, type);
  return { thingTypeName, thingTypeArn: arnOf('thingtype', thingTypeName), thingTypeId: type.thingTypeId };
};

const describeThingType: Operation = async (input, { registry }) => {
  const thingTypeName = text(input, 'thingTypeName');
  const type = found(registry.thingTypes.get(thingTypeName), 'Thing type', thingTypeName);
  return {
    thingTypeName,
    thingTypeId: type.thingTypeId,
    thingTypeArn: arnOf('thingtype', thingTypeName),
    thingTypeProperties: type.thingTypeProperties,
    thingTypeMetadata: { deprecated: type.deprecated, creationDate: seconds(type.creationDate) },
  };
};

const listThingTypes: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.thingTypes.list(), input['nextToken'], input['maxResults']);
  return {
    thingTypes: items.map(({ thingTypeName }) => ({ thingTypeName, thingTypeArn: arnOf('thingtype', thingTypeName) })),
    nextToken: next,
  };
};

const deleteThingType: Operation = async (input, { registry }) => {
  const thingTypeName = text(input, 'thingTypeName');
  const user = registry.things.list().find((thing) => thing.thingTypeName === thingTypeName);
  if (user !== undefined)
    throw new AwsError(
      'InvalidRequestException',
      `Thing type ${thingTypeName} is used by thing ${user.thingName}`,
      400,
    );
  await registry.thingTypes.delete(thingTypeName);
  return {};
};

const createThingGroup: Operation = async (input, { registry, clock }) => {
  const thingGroupName = nameOf(input, 'thingGroupName');
  const present = registry.thingGroups.get(thingGroupName);
  const thingGroupProperties = (input['thingGroupProperties'] ?? {}) as Record<string, unknown>;
  if (present !== undefined && JSON.stringify(present.thingGroupProperties) !== JSON.stringify(thingGroupProperties))
    throw exists('Thing group', thingGroupName);
  const group = present ?? {
    thingGroupName,
    thingGroupId: randomUUID(),
    thingGroupProperties,
    version: 1,
    creationDate: clock.now(),
  };
  if (present === undefined) await registry.thingGroups.set(thingGroupName, group);
  return { thingGroupName, thingGroupArn: arnOf('thinggroup', thingGroupName), thingGroupId: group.thingGroupId };
};

const describeThingGroup: Operation = async (input, { registry }) => {
  const thingGroupName = text(input, 'thingGroupName');
  const group = found(registry.thingGroups.get(thingGroupName), 'Thing group', thingGroupName);
  return {
    thingGroupName,
    thingGroupId: group.thingGroupId,
    thingGroupArn: arnOf('thinggroup', thingGroupName),
    version: group.version,
    thingGroupProperties: group.thingGroupProperties,
    thingGroupMetadata: { creationDate: seconds(group.creationDate) },
  };
};

const listThingGroups: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.thingGroups.list(), input['nextToken'], input['maxResults']);
  return { thingGroups: items.map(({ thingGroupName }) => groupReference(thingGroupName)), nextToken: next };
};

const deleteThingGroup: Operation = async (input, { registry }) => {
  const thingGroupName = text(input, 'thingGroupName');
  const members = registry.things.list().filter(({ groups }) => groups.includes(thingGroupName));
  await Promise.all(
    members.map((thing) =>
      registry.things.set(thing.thingName, {
        ...thing,
        groups: thing.groups.filter((group) => group !== thingGroupName),
      }),
    ),
  );
  await registry.thingGroups.delete(thingGroupName);
  return {};
};

const addThingToThingGroup: Operation = async (input, { registry }) => {
  const [thing, group] = membership(registry, input);
  if (!thing.groups.includes(group))
    await registry.things.set(thing.thingName, { ...thing, groups: [...thing.groups, group] });
  return {};
};

const removeThingFromThingGroup: Operation = async (input, { registry }) => {
  const [thing, group] = membership(registry, input);
  await registry.things.set(thing.thingName, { ...thing, groups: thing.groups.filter((one) => one !== group) });
  return {};
};

const listThingsInThingGroup: Operation = async (input, { registry }) => {
  const group = text(input, 'thingGroupName');
  found(registry.thingGroups.get(group), 'Thing group', group);
  const { items, next } = page(
    registry.things.list().filter(({ groups }) => groups.includes(group)),
    input['nextToken'],
    input['maxResults'],
  );
  return { things: items.map(({ thingName }) => thingName), nextToken: next };
};

const listThingGroupsForThing: Operation = async (input, { registry }) => {
  const { items, next } = page(thingOf(registry, input).groups, input['nextToken'], input['maxResults']);
  return { thingGroups: items.map(groupReference), nextToken: next };
};

function groupReference(groupName: string): Record<string, string> {
  return { groupName, groupArn: arnOf('thinggroup', groupName) };
}

function membership(registry: Registry, input: Input): [Thing, string] {
  const thing = String(
    input['thingName'] ??
      String(input['thingArn'] ?? '')
        .split('/')
        .at(-1),
  );
  const group = String(
    input['thingGroupName'] ??
      String(input['thingGroupArn'] ?? '')
        .split('/')
        .at(-1),
  );
  found(registry.thingGroups.get(group), 'Thing group', group);
  return [found(registry.things.get(thing), 'Thing', thing), group];
}

export const thingGroupOperations: Readonly<Record<string, Operation>> = {
  CreateThingType: createThingType,
  DescribeThingType: describeThingType,
  ListThingTypes: listThingTypes,
  DeleteThingType: deleteThingType,
  CreateThingGroup: createThingGroup,
  DescribeThingGroup: describeThingGroup,
  ListThingGroups: listThingGroups,
  DeleteThingGroup: deleteThingGroup,
  AddThingToThingGroup: addThingToThingGroup,
  RemoveThingFromThingGroup: removeThingFromThingGroup,
  ListThingsInThingGroup: listThingsInThingGroup,
  ListThingGroupsForThing: listThingGroupsForThing,
};
