import { randomUUID } from 'node:crypto';
import { AwsError } from '../../../gateway/service';
import type { Registry, Thing } from '../registry';
import { arnOf, exists, flag, found, nameOf, page, text } from './operation';
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

export function thingOf(registry: Registry, input: Input): Thing {
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
};
