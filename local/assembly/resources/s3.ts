import { REGION, physicalName } from '../names';
import { isTrue, optionalObject, optionalText, requireText } from '../provisioner';
import type { Properties, Provisioner } from '../provisioner';
import { unless } from '../service-calls';
import type { ServiceCalls } from '../service-calls';

/** Encryption, lifecycle, access logs and public access settings have no local meaning. */
export const bucket: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name =
    optionalText(properties, 'BucketName') ?? physicalName(stack, logicalId, { maximumLength: 63, lowerCase: true });
  await unless(
    ['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'],
    calls.rest('s3', { method: 'PUT', path: `/${name}` }),
  );
  const notifications = optionalObject(properties, 'NotificationConfiguration');
  if (notifications !== undefined) await putNotifications(name, notifications, calls);
  return {
    physicalId: name,
    attributes: {
      Arn: `arn:aws:s3:::${name}`,
      DomainName: `${name}.s3.amazonaws.com`,
      RegionalDomainName: `${name}.s3.${REGION}.amazonaws.com`,
      DualStackDomainName: `${name}.s3.dualstack.${REGION}.amazonaws.com`,
      WebsiteURL: `http://${name}.s3-website-${REGION}.amazonaws.com`,
    },
  };
};

/** Conditions such as create-only keys hold locally too. */
export const bucketPolicy: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = requireText(properties, 'Bucket');
  await calls.rest('s3', { method: 'PUT', path: `/${name}?policy`, body: properties['PolicyDocument'] });
  return { physicalId: physicalName(stack, logicalId, { maximumLength: 128 }) };
};

/** What `eventBridgeEnabled: true` of the CDK's Bucket makes; its handler is not run. */
export const bucketNotifications: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  await putNotifications(
    requireText(properties, 'BucketName'),
    optionalObject(properties, 'NotificationConfiguration') ?? {},
    calls,
  );
  return { physicalId: physicalName(stack, logicalId, { maximumLength: 128 }) };
};

async function putNotifications(bucketName: string, configuration: Properties, calls: ServiceCalls): Promise<void> {
  for (const [name, value] of Object.entries(configuration)) {
    if (name !== 'EventBridgeConfiguration' && [value].flat().length > 0) {
      throw new Error(`NotificationConfiguration.${name}: only EventBridgeConfiguration is served locally`);
    }
  }
  const target = optionalObject(configuration, 'EventBridgeConfiguration');
  const enabled =
    target !== undefined && (target['EventBridgeEnabled'] === undefined || isTrue(target['EventBridgeEnabled']));
  const body = `<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${enabled ? '<EventBridgeConfiguration/>' : ''}</NotificationConfiguration>`;
  await calls.rest('s3', {
    method: 'PUT',
    path: `/${bucketName}?notification`,
    body,
    headers: { 'content-type': 'application/xml' },
  });
}
