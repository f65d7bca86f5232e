import { DescribeThingCommand, type IoTClient, ListThingPrincipalsCommand } from '@aws-sdk/client-iot';
import { log } from '../sqs';
import { decide, type ProvisioningRequest, type RegisteredThing, requestedName } from './decide';

export interface ProvisioningHookDependencies {
  readonly iot: Pick<IoTClient, 'send'>;
}

/**
 * Answers AWS IoT before it provisions a device by claim. An error refuses, too: the device tries again.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html
 */
export function createHandler({ iot }: ProvisioningHookDependencies) {
  return async (request: ProvisioningRequest): Promise<{ readonly allowProvisioning: boolean }> => {
    const thingName = requestedName(request);
    const decision = decide(thingName === undefined ? undefined : await find(thingName));
    log('info', decision.allowProvisioning ? 'provisioning allowed' : 'provisioning refused', {
      // A name that cannot be one is a stranger's text.
      thingName,
      reason: decision.allowProvisioning ? undefined : decision.reason,
    });
    return { allowProvisioning: decision.allowProvisioning };
  };

  async function find(thingName: string): Promise<RegisteredThing | undefined> {
    try {
      await iot.send(new DescribeThingCommand({ thingName }));
    } catch (error) {
      if ((error as Error).name === 'ResourceNotFoundException') return undefined;
      throw error;
    }
    const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName, maxResults: 1 }));
    return { principals: principals.length };
  }
}
