/** Gives simulated devices their identities: a thing, a key pair and certificate, and the device policy, each once. */
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateKeysAndCertificateCommand,
  CreateThingCommand,
  DescribeEndpointCommand,
  DescribeCertificateCommand,
  type IoTClient,
} from '@aws-sdk/client-iot';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from './command-line';
import type { DeviceIdentityFiles, MqttEndpoint } from './device';

export interface FleetOptions {
  readonly iot: IoTClient;
  readonly useCase: string;
  /** Thing names. */
  readonly names: readonly string[];
  /** Name of the device policy that the Ingest stack creates. */
  readonly policyName: string;
  /** Certificates and keys are kept in `<directory>/<thing>/`; keys are readable by their owner only. */
  readonly directory: string;
}

/** Thing names of a fleet's first `count` devices of a use case. */
export function deviceNames(useCase: string, fleet: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${useCase}-${fleet}-${String(index + 1).padStart(4, '0')}`);
}

/** Provisions the named devices; those whose certificate is on disk and still active are left as they are. */
export async function provisionFleet(options: FleetOptions): Promise<DeviceIdentityFiles[]> {
  const fleet: DeviceIdentityFiles[] = [];
  for (const name of options.names) fleet.push(await provisionDevice(options, name));
  return fleet;
}

async function provisionDevice(options: FleetOptions, name: string): Promise<DeviceIdentityFiles> {
  const { iot, useCase, policyName } = options;
  const folder = path.join(options.directory, name);
  const file = (leaf: string): string => path.join(folder, leaf);
  if (existsSync(file('certificate.id')) && (await isActive(iot, readFileSync(file('certificate.id'), 'utf8')))) {
    return {
      name,
      useCase,
      certificate: readFileSync(file('certificate.pem'), 'utf8'),
      privateKey: readFileSync(file('private.key'), 'utf8'),
    };
  }
  // CreateThing answers the same for the same name and attributes.
  await iot.send(new CreateThingCommand({ thingName: name, attributePayload: { attributes: { useCase } } }));
  const created = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: true }));
  const certificate = created.certificatePem ?? '';
  const privateKey = created.keyPair?.PrivateKey ?? '';
  try {
    await iot.send(new AttachPolicyCommand({ policyName, target: created.certificateArn }));
  } catch (error) {
    if ((error as Error).name !== 'ResourceNotFoundException') throw error;
    throw new UserError(
      `IoT policy "${policyName}" does not exist: deploy the Ingest stack first, or name another with --policy.`,
    );
  }
  await iot.send(new AttachThingPrincipalCommand({ thingName: name, principal: created.certificateArn }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(file('certificate.pem'), certificate);
  writeFileSync(file('private.key'), privateKey, { mode: 0o600 });
  writeFileSync(file('certificate.id'), created.certificateId ?? '');
  return { name, useCase, certificate, privateKey };
}

async function isActive(iot: IoTClient, certificateId: string): Promise<boolean> {
  try {
    const { certificateDescription } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    return certificateDescription?.status === 'ACTIVE';
  } catch (error) {
    if ((error as Error).name === 'ResourceNotFoundException') return false;
    throw error;
  }
}

/** The account's (or the local run's) MQTT endpoint; the local one names its port. */
export async function mqttEndpoint(iot: IoTClient, ca?: string): Promise<MqttEndpoint> {
  const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType: 'iot:Data-ATS' }));
  const [host = '', port = '8883'] = (endpointAddress ?? '').split(':');
  return { host, port: Number(port), ca };
}
