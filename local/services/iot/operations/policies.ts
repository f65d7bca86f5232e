import { AwsError } from '../../../gateway/service';
import { parsePolicy } from '../policy';
import type { Policy, Registry } from '../registry';
import { arnOf, exists, found, page, seconds, text } from './operation';
import type { Input, Operation } from './operation';

const createPolicy: Operation = async (input, { registry, clock }) => {
  const policyName = text(input, 'policyName');
  if (!/^[\w+=,.@-]{1,128}$/.test(policyName))
    throw new AwsError('InvalidRequestException', `policyName ${JSON.stringify(policyName)} is not valid`, 400);
  const policyDocument = text(input, 'policyDocument');
  parsePolicy(policyDocument);
  if (registry.policies.get(policyName) !== undefined) throw exists('Policy', policyName);
  const now = clock.now();
  await registry.policies.set(policyName, {
    policyName,
    policyDocument,
    version: 1,
    creationDate: now,
    lastModifiedDate: now,
    targets: [],
  });
  return { ...reference(policyName), policyDocument, policyVersionId: '1' };
};

/** Older versions are not kept: only the default one has an effect. */
const createPolicyVersion: Operation = async (input, { registry, clock }) => {
  const policy = policyOf(registry, input);
  const policyDocument = text(input, 'policyDocument');
  parsePolicy(policyDocument);
  if (input['setAsDefault'] !== true && input['setAsDefault'] !== 'true') {
    throw new AwsError(
      'InvalidRequestException',
      'setAsDefault must be true: the local registry keeps the default version only',
      400,
    );
  }
  const version = policy.version + 1;
  await registry.policies.set(policy.policyName, { ...policy, policyDocument, version, lastModifiedDate: clock.now() });
  return {
    policyArn: arnOf('policy', policy.policyName),
    policyDocument,
    policyVersionId: String(version),
    isDefaultVersion: true,
  };
};

const getPolicy: Operation = async (input, { registry }) => {
  const policy = policyOf(registry, input);
  return {
    ...reference(policy.policyName),
    policyDocument: policy.policyDocument,
    defaultVersionId: String(policy.version),
    creationDate: seconds(policy.creationDate),
    lastModifiedDate: seconds(policy.lastModifiedDate),
  };
};

const deletePolicy: Operation = async (input, { registry }) => {
  const policy = policyOf(registry, input);
  if (policy.targets.length > 0) {
    throw new AwsError(
      'DeleteConflictException',
      `Policy ${policy.policyName} is attached to ${policy.targets[0]}: detach it first`,
      409,
    );
  }
  await registry.policies.delete(policy.policyName);
  return {};
};

const listPolicies: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.policies.list(), input['marker'], input['pageSize']);
  return { policies: items.map(({ policyName }) => reference(policyName)), nextMarker: next };
};

const attachPolicy: Operation = async (input, { registry }) => {
  const policy = policyOf(registry, input);
  const target = text(input, 'target');
  const name = target.split('/').at(-1)!;
  if (/:cert\//.test(target)) found(registry.certificates.get(name), 'Certificate', name);
  else if (/:thinggroup\//.test(target)) found(registry.thingGroups.get(name), 'Thing group', name);
  else
    throw new AwsError(
      'InvalidRequestException',
      `target ${JSON.stringify(target)} must be the ARN of a certificate or a thing group`,
      400,
    );
  if (!policy.targets.includes(target))
    await registry.policies.set(policy.policyName, { ...policy, targets: [...policy.targets, target] });
  return {};
};

const detachPolicy: Operation = async (input, { registry }) => {
  const policy = policyOf(registry, input);
  const target = text(input, 'target');
  await registry.policies.set(policy.policyName, {
    ...policy,
    targets: policy.targets.filter((one) => one !== target),
  });
  return {};
};

const listAttachedPolicies: Operation = async (input, { registry }) => {
  const target = text(input, 'target');
  const wanted = registry.policies.list().filter(({ targets }) => targets.includes(target));
  const { items, next } = page(wanted, input['marker'], input['pageSize']);
  return { policies: items.map(({ policyName }) => reference(policyName)), nextMarker: next };
};

const listTargetsForPolicy: Operation = async (input, { registry }) => {
  const { items, next } = page(policyOf(registry, input).targets, input['marker'], input['pageSize']);
  return { targets: items, nextMarker: next };
};

function policyOf(registry: Registry, input: Input): Policy {
  const policyName = text(input, 'policyName');
  return found(registry.policies.get(policyName), 'Policy', policyName);
}

function reference(policyName: string): Record<string, string> {
  return { policyName, policyArn: arnOf('policy', policyName) };
}

export const policyOperations: Readonly<Record<string, Operation>> = {
  CreatePolicy: createPolicy,
  CreatePolicyVersion: createPolicyVersion,
  GetPolicy: getPolicy,
  DeletePolicy: deletePolicy,
  ListPolicies: listPolicies,
  AttachPolicy: attachPolicy,
  DetachPolicy: detachPolicy,
  ListAttachedPolicies: listAttachedPolicies,
  ListTargetsForPolicy: listTargetsForPolicy,
};
