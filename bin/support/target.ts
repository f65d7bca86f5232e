/** Where a command works: the local run on this machine, or an AWS account. */
import { IoTClient } from '@aws-sdk/client-iot';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from './command-line';
import type { FleetOptions } from './fleet';

export interface Target {
  /** All of FleetOptions but the use case and the names. */
  readonly fleet: Omit<FleetOptions, 'useCase' | 'names'>;
  /** PEM of the certificate authority that the MQTT endpoint's certificate comes from; undefined = a public one. */
  readonly ca?: string;
}

/** What the local run leaves in its state directory for other commands, while it is up. */
export interface RunningLocally {
  readonly endpoint: string;
  readonly pid: number;
  /** The stacks' outputs by name. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Credentials of the person at the machine; the local gateway takes any secret. */
export const localCredentials = { accessKeyId: 'LOCALROOT0000000000', secretAccessKey: 'local' };
export const localRegion = 'us-east-1';

/** The run that is up over this state directory, or undefined. */
export function findRunning(stateDirectory: string): RunningLocally | undefined {
  const file = path.join(stateDirectory, 'run.json');
  if (!existsSync(file)) return undefined;
  const running = JSON.parse(readFileSync(file, 'utf8')) as RunningLocally;
  try {
    process.kill(running.pid, 0);
    return running;
  } catch {
    return undefined;
  }
}

/** The local run's own certificate authority. */
export function localAuthority(stateDirectory: string): string {
  return readFileSync(path.join(stateDirectory, 'iot', 'ca.pem'), 'utf8');
}

export function localFleet(stateDirectory: string, endpoint: string, policyName: string): Target['fleet'] {
  return {
    iot: new IoTClient({ endpoint, region: localRegion, credentials: localCredentials }),
    policyName,
    directory: path.join(stateDirectory, 'devices'),
  };
}

/** Output of the Ingest stack that names the policy of every device. */
export const DEVICE_POLICY_OUTPUT = 'DevicePolicyName';

/** @throws UserError when the local run is not up, or an account's policy is not named. */
export function findTarget(options: { account: boolean; stateDirectory: string; policyName?: string }): Target {
  const { account, stateDirectory, policyName } = options;
  if (account) {
    if (policyName === undefined) {
      throw new UserError(
        `--policy is missing: with --account, name the device policy, which is the output ${DEVICE_POLICY_OUTPUT} of the Ingest stack.`,
      );
    }
    return { fleet: { iot: new IoTClient({}), policyName, directory: path.join(stateDirectory, 'account-devices') } };
  }
  const running = findRunning(stateDirectory);
  if (!running) {
    throw new UserError(
      `No local run is up in ${stateDirectory}: start one with "npm start" in another terminal, or use --account.`,
    );
  }
  return {
    fleet: localFleet(stateDirectory, running.endpoint, policyName ?? running.outputs[DEVICE_POLICY_OUTPUT] ?? ''),
    ca: localAuthority(stateDirectory),
  };
}
