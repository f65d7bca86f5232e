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

/** IoT keeps at most this many versions of a policy. */
const MAXIMUM_POLICY_VERSIONS = 5;

async function replacePolicy(name: string, policyDocument: string, calls: ServiceCalls): Promise<void> {
  const current = JSON.parse(await calls.rest('iot', { method: 'GET', path: `/policies/${name}` })) as {
    policyDocument: string;
  };
  if (current.policyDocument === policyDocument) return;
  const { policyVersions } = JSON.parse(
    await calls.rest('iot', { method: 'GET', path: `/policies/${name}/version` }),
  ) as {
    policyVersions: { versionId: string; isDefaultVersion: boolean }[];
  };
  const old = policyVersions.filter(({ isDefaultVersion }) => !isDefaultVersion);
  if (policyVersions.length >= MAXIMUM_POLICY_VERSIONS) {
    const oldest = old.reduce((first, other) => (Number(other.versionId) < Number(first.versionId) ? other : first));
    await calls.rest('iot', { method: 'DELETE', path: `/policies/${name}/version/${oldest.versionId}` });
  }
  await calls.rest('iot', {
    method: 'POST',
    path: `/policies/${name}/version?setAsDefault=true`,
    body: { policyDocument },
  });
}

export const thingType: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = optionalText(properties, 'ThingTypeName') ?? physicalName(stack, logicalId, { maximumLength: 128 });
  const body = { thingTypeProperties: lowerCamelCase(optionalObject(properties, 'ThingTypeProperties') ?? {}) };
  await unless(EXISTS, calls.rest('iot', { method: 'POST', path: `/thing-types/${encodeURIComponent(name)}`, body }));
  return { physicalId: name, attributes: { Arn: arn('iot', `thingtype/${name}`), Id: uuidOf('thing-type', name) } };
};
