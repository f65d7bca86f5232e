/** `npm run devices -- provision | simulate`: devices by AWS IoT's own API and MQTT, on the local run or an account. */
import path from 'node:path';
import { useCases } from '../use-cases';
import type { UseCase } from '../use-cases/define-use-case';
import { integerOption, parseCommand, runCommand, stopSignal, UserError } from './support/command-line';
import { Device } from './support/device';
import { deviceNames, mqttEndpoint, provisionFleet } from './support/fleet';
import { simulate, type SimulationProgress } from './support/simulation';
import { findTarget, type Target } from './support/target';
import { count, ProgressDisplay } from './support/terminal';
import { useCaseOption } from './support/use-case-option';

const USAGE = `Usage: npm run devices -- provision --use-case NAME [--count N]
       npm run devices -- simulate [--use-case NAME] [--count N] [--seed N] [--backlog-hours N] [--live] [--json]
The local run must be up (npm start); --account works on an AWS account instead, with the usual AWS credentials.
  --count N          devices per use case (default: the use case's own number)
  --fleet NAME       middle part of the thing names, so that fleets are told apart (default device)
  --state DIRECTORY  state directory of the local run (default .local)
  --policy NAME      device policy to attach (with --account: the output DevicePolicyName of the Ingest stack)`;

const DEFAULT_SEED = 7;
const FLEET_NAME = /^[a-z0-9]{1,32}$/;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(
    args,
    {
      'use-case': { type: 'string' },
      count: { type: 'string' },
      fleet: { type: 'string', default: 'device' },
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      'backlog-hours': { type: 'string', default: '24' },
      live: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      account: { type: 'boolean', default: false },
      state: { type: 'string', default: '.local' },
      policy: { type: 'string' },
    },
    USAGE,
    true,
  );
  const command = positionals[0];
  if (positionals.length !== 1 || (command !== 'provision' && command !== 'simulate')) throw new UserError(USAGE);
  const everyUseCase = command === 'simulate' && values['use-case'] === undefined;
  const chosen = everyUseCase ? useCases : [useCaseOption(values['use-case'])];
  const size = values.count === undefined ? undefined : integerOption('count', values.count, 1, 10_000);
  const { fleet } = values;
  if (!FLEET_NAME.test(fleet)) throw new UserError(`--fleet "${fleet}": lower-case letters and digits, at most 32.`);
  const target = findTarget({
    account: values.account,
    stateDirectory: path.resolve(values.state),
    policyName: values.policy,
  });
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());

  if (command === 'provision') {
    for (const useCase of chosen) {
      const names = deviceNames(useCase.name, fleet, size ?? useCase.simulator.devices);
      await provisionFleet({ ...target.fleet, useCase: useCase.name, names });
      display.say(`${useCase.name}: ${count(names.length)} devices in ${target.fleet.directory}`);
    }
    return 0;
  }
  const seed = integerOption('seed', values.seed, 0, 2 ** 31 - 1);
  const backlogHours = integerOption('backlog-hours', values['backlog-hours'], 0, 24 * 366);
  const report = values.json
    ? (progress: SimulationProgress) => console.log(JSON.stringify(progress))
    : progressReport(display);
  const signal = stopSignal();
  await Promise.all(
    chosen.map((useCase) =>
      simulateUseCase(target, useCase, { fleet, size, seed, backlogHours, live: values.live, report, signal }),
    ),
  );
  return 0;
}

interface SimulateOptions {
  fleet: string;
  size: number | undefined;
  seed: number;
  backlogHours: number;
  live: boolean;
  report: (progress: SimulationProgress) => void;
  signal: AbortSignal;
}

async function simulateUseCase(target: Target, useCase: UseCase, options: SimulateOptions): Promise<void> {
  const names = deviceNames(useCase.name, options.fleet, options.size ?? useCase.simulator.devices);
  const identities = await provisionFleet({ ...target.fleet, useCase: useCase.name, names });
  const endpoint = await mqttEndpoint(target.fleet.iot, target.ca);
  const devices = await Promise.all(identities.map((identity) => Device.connect(identity, endpoint)));
  try {
    await simulate({
      useCase,
      devices,
      fleet: options.fleet,
      seed: options.seed,
      backlogHours: options.backlogHours,
      live: options.live,
      directory: target.fleet.directory,
      now: () => Date.now(),
      signal: options.signal,
      onProgress: options.report,
    });
  } finally {
    await Promise.all(devices.map((device) => device.close()));
  }
}

function progressReport(display: ProgressDisplay): (progress: SimulationProgress) => void {
  const last = new Map<string, SimulationProgress>();
  return (progress) => {
    last.set(progress.useCase, progress);
    const lines = [...last.values()].map(
      (each) =>
        `${each.useCase}: ${each.phase}, ${count(each.readings)} readings in ${count(each.publishes)} publishes, event time ${new Date(each.eventTime).toISOString()}`,
    );
    display.update(lines, lines.join(' | '));
  };
}

runCommand(main);
