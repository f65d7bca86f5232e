import { ACCOUNT_ID, digest, physicalName } from '../names';
import { optionalText } from '../provisioner';
import type { Provisioner } from '../provisioner';

/** The role gets credentials of its own, by which the gateway knows who calls. */
export const role: Provisioner = async ({ stack, logicalId, properties }, calls) => {
  const name = optionalText(properties, 'RoleName') ?? physicalName(stack, logicalId, { maximumLength: 64 });
  const path = optionalText(properties, 'Path') ?? '/';
  const Arn = `arn:aws:iam::${ACCOUNT_ID}:role${path}${name}`;
  calls.registerRole(Arn);
  return { physicalId: name, attributes: { Arn, RoleId: `AROA${digest('role', Arn).slice(0, 17).toUpperCase()}` } };
};
