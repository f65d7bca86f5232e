import { randomUUID } from 'node:crypto';
import { AwsError } from '../../../gateway/service';
import type { Registry, Thing } from '../registry';
import { arnOf, exists, flag, found, nameOf, page, seconds, text } from './operation';
import type { Input, Operation } from './operation';

const createThing: Operation = async (input, { registry }) => {
  const thingName = nameOf(input, 'thingName');
  const thingTypeName = input['thingTypeName'] === undefined ? undefined : text(input, 'thingTypeName');
  if (thingTypeName !== undefined) found(registry.thingTypes.get(thingTypeName), 'Thing type', thingTypeName);
  const attributes = attributesOf(input);
  const present = registry.things.get(thingName);
  if (present !== undefined) {
    // Creating what is there with the same settings succeeds.
    if (present.thingTypeName !== thingTypeName || JSON.stringify(present.attributes) !== JSON.stringify(attributes))
      throw exists('Thing', thingName);
    return identify(present);
  }
  const thing: Thing = {
    thingName,
    thingId: randomUUID(),
    ...(thingTypeName !== undefined && { thingTypeName }),
    attributes,
    version: 1,
    principals: [],
    groups: [],
  };
  await registry.things.set(thingName, thing);
  return identify(thing);
};

const describeThing: Operation = async (input, { registry }) => {
  const thing = thingOf(registry, input);
  return {
    ...identify(thing),
    defaultClientId: thing.thingName,
    thingTypeName: thing.thingTypeName,
    attributes: thing.attributes,
    version: thing.version,
  };
};

const updateThing: Operation = async (input, { registry }) => {
  const thing = thingOf(registry, input);
  const payload = input['attributePayload'] as { attributes?: Record<string, string>; merge?: boolean } | undefined;
  const attributes =
    payload === undefined
      ? thing.attributes
      : payload.merge === true
        ? { ...thing.attributes, ...payload.attributes }
        : attributesOf(input);
  const thingTypeName = flag(input, 'removeThingType')
    ? undefined
    : ((input['thingTypeName'] as string | undefined) ?? thing.thingTypeName);
  await registry.things.set(thing.thingName, { ...thing, thingTypeName, attributes, version: thing.version + 1 });
  return {};
};

const listThings: Operation = async (input, { registry }) => {
  const wanted = registry.things
    .list()
    .filter(
      (thing) =>
        (input['thingTypeName'] === undefined || thing.thingTypeName === input['thingTypeName']) &&
        (input['attributeName'] === undefined ||
          thing.attributes[String(input['attributeName'])] === input['attributeValue']),
    );
  const { items, next } = page(wanted, input['nextToken'], input['maxResults']);
  const things = items.map((thing) => ({
    ...identify(thing),
    thingTypeName: thing.thingTypeName,
    attributes: thing.attributes,
    version: thing.version,
  }));
  return { things, nextToken: next };
};

const deleteThing: Operation = async (input, { registry }) => {
  const thingName = text(input, 'thingName');
  const thing = registry.things.get(thingName);
  if (thing === undefined) return {};
  if (thing.principals.length > 0)
    throw new AwsError(
      'InvalidRequestException',
      `Thing ${thingName} still has principals attached: detach them first`,
      400,
    );
  await registry.things.delete(thingName);
  return {};
};

const attachThingPrincipal: Operation = async (input, { registry }) => {
  const thing = thingOf(registry, input);
  const principal = text(input, 'principal');
  found(registry.certificates.get(principal.split('/').at(-1)!), 'Principal', principal);
  const exclusive = input['thingPrincipalType'] === 'EXCLUSIVE_THING';
  const others = registry.things
    .list()
    .filter(
      ({ thingName, principals }) =>
        thingName !== thing.thingName && principals.some((one) => one.principal === principal),
    );
  if (
    others.some(({ principals }) => principals.some((one) => one.principal === principal && one.exclusive)) ||
    (exclusive && others.length > 0)
  ) {
    throw new AwsError(
      'InvalidRequestException',
      `The principal is attached to thing ${others[0]!.thingName}, and one of the two attachments is exclusive`,
      400,
    );
  }
  const principals = [...thing.principals.filter((one) => one.principal !== principal), { principal, exclusive }];
  await registry.things.set(thing.thingName, { ...thing, principals });
  return {};
};

const detachThingPrincipal: Operation = async (input, { registry }) => {
  const thing = thingOf(registry, input);
  const principal = text(input, 'principal');
  await registry.things.set(thing.thingName, {
    ...thing,
    principals: thing.principals.filter((one) => one.principal !== principal),
  });
  return {};
};

const listThingPrincipals: Operation = async (input, { registry }) => {
  const { items, next } = page(thingOf(registry, input).principals, input['nextToken'], input['maxResults']);
  return { principals: items.map(({ principal }) => principal), nextToken: next };
};

const listPrincipalThings: Operation = async (input, { registry }) => {
  const principal = text(input, 'principal');
  const wanted = registry.things
    .list()
    .filter(({ principals }) => principals.some((one) => one.principal === principal));
  const { items, next } = page(wanted, input['nextToken'], input['maxResults']);
  return { things: items.map(({ thingName }) => thingName), nextToken: next };
};

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

function thingOf(registry: Registry, input: Input): Thing {
  const thingName = text(input, 'thingName');
  return found(registry.things.get(thingName), 'Thing', thingName);
}

function identify({ thingName, thingId }: Thing): Record<string, unknown> {
  return { thingName, thingArn: arnOf('thing', thingName), thingId };
}

function attributesOf(input: Input): Record<string, string> {
  return { ...(input['attributePayload'] as { attributes?: Record<string, string> } | undefined)?.attributes };
}

export const thingOperations: Readonly<Record<string, Operation>> = {
  CreateThing: createThing,
  DescribeThing: describeThing,
  UpdateThing: updateThing,
  ListThings: listThings,
  DeleteThing: deleteThing,
  AttachThingPrincipal: attachThingPrincipal,
  DetachThingPrincipal: detachThingPrincipal,
  ListThingPrincipals: listThingPrincipals,
  ListPrincipalThings: listPrincipalThings,
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
