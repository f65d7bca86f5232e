/** Whether a device may be provisioned under the name that it asks for. Pure. */

/** What AWS IoT tells a pre-provisioning hook, as far as it is used here. */
export interface ProvisioningRequest {
  readonly parameters?: Readonly<Record<string, string>>;
}

/** A thing as it is registered; undefined = there is none. */
export interface RegisteredThing {
  /** Certificates that are attached to it. */
  readonly principals: number;
}

export type Decision =
  { readonly allowProvisioning: true } | { readonly allowProvisioning: false; readonly reason: string };

/** Parameter of the template: the thing's name, which the device knows from its factory. */
export const THING_NAME_PARAMETER = 'ThingName';

export function requestedName({ parameters }: ProvisioningRequest): string | undefined {
  const name = parameters?.[THING_NAME_PARAMETER];
  // As AWS IoT allows thing names; anything else cannot have been registered.
  return name !== undefined && /^[a-zA-Z0-9:_-]{1,128}$/.test(name) ? name : undefined;
}

/**
 * A claim certificate is shared by many devices and may be stolen: it opens only names that were registered ahead, and each
 * only once.
 */
export function decide(thing: RegisteredThing | undefined): Decision {
  if (thing === undefined) return { allowProvisioning: false, reason: 'no such thing is registered' };
  if (thing.principals > 0) return { allowProvisioning: false, reason: 'the thing has a certificate already' };
  return { allowProvisioning: true };
}
