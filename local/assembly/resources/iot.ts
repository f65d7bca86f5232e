import { arn, physicalName, uuidOf } from '../names';
import { lowerCamelCase, optionalObject, optionalText } from '../provisioner';
import type { Provisioner } from '../provisioner';
import { unless } from '../service-calls';
import type { ServiceCalls } from '../service-calls';

const EXISTS = ['ResourceAlreadyExistsException'];

/** Rule names admit no hyphen. */
export const topicRule: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name =
    optionalText(properties, 'RuleName') ?? physicalName(stack, logicalId, { maximumLength: 128 }).replace(/-/g, '_');
  const body = lowerCamelCase(optionalObject(properties, 'TopicRulePayload') ?? {});
  const created = await unless(EXISTS, calls.rest('iot', { method: 'POST', path: `/rules/${name}`, body }));
  if (created === undefined) await calls.rest('iot', { method: 'PATCH', path: `/rules/${name}`, body });
  return { physicalId: name, attributes: { Arn: arn('iot', `rule/${name}`) } };
};

export const policy: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = optionalText(properties, 'PolicyName') ?? physicalName(stack, logicalId, { maximumLength: 128 });
  const policyDocument = JSON.stringify(properties['PolicyDocument'] ?? {});
  const created = await unless(
    EXISTS,
    calls.rest('iot', { method: 'POST', path: `/policies/${name}`, body: { policyDocument } }),
  );
  if (created === undefined) await replacePolicy(name, policyDocument, calls);
  return { physicalId: name, attributes: { Arn: arn('iot', `policy/${name}`), Id: name } };
};

/** A new version only where the document changed: IoT keeps five. */
async function replacePolicy(name: string, policyDocument: string, calls: ServiceCalls): Promise<void> {
  const current = JSON.parse(await calls.rest('iot', { method: 'GET', path: `/policies/${name}` })) as {
    policyDocument: string;
  };
  if (current.policyDocument === policyDocument) return;
  const path = `/policies/${name}/version?setAsDefault=true`;
  await calls.rest('iot', { method: 'POST', path, body: { policyDocument } });
}

export const thingType: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = optionalText(properties, 'ThingTypeName') ?? physicalName(stack, logicalId, { maximumLength: 128 });
  const body = { thingTypeProperties: lowerCamelCase(optionalObject(properties, 'ThingTypeProperties') ?? {}) };
  await unless(EXISTS, calls.rest('iot', { method: 'POST', path: `/thing-types/${encodeURIComponent(name)}`, body }));
  return { physicalId: name, attributes: { Arn: arn('iot', `thingtype/${name}`), Id: uuidOf('thing-type', name) } };
};
