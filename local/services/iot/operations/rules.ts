import { AwsError } from '../../../gateway/service';
import type { Registry, TopicRule } from '../registry';
import type { TopicRulePayload } from '../rules/rule';
import { arnOf, found, page, seconds, text } from './operation';
import type { ControlPlane, Input, Operation } from './operation';

const createTopicRule: Operation = async (input, plane) => {
  const ruleName = text(input, 'ruleName');
  if (plane.registry.rules.get(ruleName) !== undefined) {
    throw new AwsError('ResourceAlreadyExistsException', `Rule ${ruleName} already exists`, 409);
  }
  return save(plane, { ruleName, topicRulePayload: payloadOf(input), createdAt: plane.clock.now() });
};

const replaceTopicRule: Operation = async (input, plane) => {
  const rule = ruleOf(plane.registry, input);
  return save(plane, { ...rule, topicRulePayload: payloadOf(input) });
};

const getTopicRule: Operation = async (input, { registry }) => {
  const { ruleName, topicRulePayload, createdAt } = ruleOf(registry, input);
  return {
    ruleArn: arnOf('rule', ruleName),
    rule: {
      ruleName,
      ...topicRulePayload,
      ruleDisabled: topicRulePayload.ruleDisabled === true,
      createdAt: seconds(createdAt),
    },
  };
};

const listTopicRules: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.rules.list(), input['nextToken'], input['maxResults']);
  const rules = items.map(({ ruleName, topicRulePayload, createdAt }) => ({
    ruleArn: arnOf('rule', ruleName),
    ruleName,
    topicPattern: /\bFROM\s+['"]([^'"]+)['"]/i.exec(topicRulePayload.sql)?.[1],
    createdAt: seconds(createdAt),
    ruleDisabled: topicRulePayload.ruleDisabled === true,
  }));
  return { rules, nextToken: next };
};

const deleteTopicRule: Operation = async (input, { registry, rules }) => {
  const ruleName = text(input, 'ruleName');
  rules.delete(ruleName);
  await registry.rules.delete(ruleName);
  return {};
};

const enable =
  (ruleDisabled: boolean): Operation =>
  async (input, plane) => {
    const rule = ruleOf(plane.registry, input);
    return save(plane, { ...rule, topicRulePayload: { ...rule.topicRulePayload, ruleDisabled } });
  };

/** Refused by the rules engine first: what is stored can run. */
async function save({ registry, rules }: ControlPlane, rule: TopicRule): Promise<Record<string, unknown>> {
  rules.set(rule.ruleName, rule.topicRulePayload);
  await registry.rules.set(rule.ruleName, rule);
  return {};
}

function payloadOf(input: Input): TopicRulePayload {
  const payload = input['topicRulePayload'];
  if (typeof payload !== 'object' || payload === null)
    throw new AwsError('InvalidRequestException', 'topicRulePayload is missing', 400);
  text(payload as Input, 'sql');
  return payload as TopicRulePayload;
}

function ruleOf(registry: Registry, input: Input): TopicRule {
  const ruleName = text(input, 'ruleName');
  // AWS IoT answers so for a rule that does not exist.
  const rule = registry.rules.get(ruleName);
  if (rule === undefined)
    throw new AwsError(
      'UnauthorizedException',
      `Access to topic rule '${arnOf('rule', ruleName)}' was denied (it does not exist)`,
      401,
    );
  return rule;
}

const createProvisioningTemplate: Operation = async (input, { registry, clock }) => {
  const templateName = text(input, 'templateName');
  try {
    JSON.parse(text(input, 'templateBody'));
  } catch {
    throw new AwsError('InvalidRequestException', `The body of template ${templateName} is no JSON`, 400);
  }
  if (registry.templates.get(templateName) !== undefined)
    throw new AwsError('ResourceAlreadyExistsException', `Template ${templateName} already exists`, 409);
  const now = clock.now();
  await registry.templates.set(templateName, {
    templateName,
    creationDate: now,
    lastModifiedDate: now,
    settings: input,
  });
  return { templateArn: arnOf('provisioningtemplate', templateName), templateName, defaultVersionId: 1 };
};

const describeProvisioningTemplate: Operation = async (input, { registry }) => {
  const templateName = text(input, 'templateName');
  const { settings, creationDate, lastModifiedDate } = found(
    registry.templates.get(templateName),
    'Template',
    templateName,
  );
  return {
    ...settings,
    tags: undefined,
    templateArn: arnOf('provisioningtemplate', templateName),
    creationDate: seconds(creationDate),
    lastModifiedDate: seconds(lastModifiedDate),
    defaultVersionId: 1,
  };
};

const updateProvisioningTemplate: Operation = async (input, { registry, clock }) => {
  const templateName = text(input, 'templateName');
  const template = found(registry.templates.get(templateName), 'Template', templateName);
  await registry.templates.set(templateName, {
    ...template,
    settings: { ...template.settings, ...input },
    lastModifiedDate: clock.now(),
  });
  return {};
};

const deleteProvisioningTemplate: Operation = async (input, { registry }) => {
  await registry.templates.delete(text(input, 'templateName'));
  return {};
};

const listProvisioningTemplates: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.templates.list(), input['nextToken'], input['maxResults']);
  const templates = items.map(({ templateName, settings }) => ({
    templateArn: arnOf('provisioningtemplate', templateName),
    templateName,
    description: settings['description'],
    enabled: settings['enabled'] === true,
    type: settings['type'] ?? 'FLEET_PROVISIONING',
  }));
  return { templates, nextToken: next };
};

export const ruleOperations: Readonly<Record<string, Operation>> = {
  CreateTopicRule: createTopicRule,
  ReplaceTopicRule: replaceTopicRule,
  GetTopicRule: getTopicRule,
  ListTopicRules: listTopicRules,
  DeleteTopicRule: deleteTopicRule,
  EnableTopicRule: enable(false),
  DisableTopicRule: enable(true),
};

/** Kept, not run: devices are provisioned with CreateKeysAndCertificate here. */
export const templateOperations: Readonly<Record<string, Operation>> = {
  CreateProvisioningTemplate: createProvisioningTemplate,
  DescribeProvisioningTemplate: describeProvisioningTemplate,
  UpdateProvisioningTemplate: updateProvisioningTemplate,
  DeleteProvisioningTemplate: deleteProvisioningTemplate,
  ListProvisioningTemplates: listProvisioningTemplates,
};
