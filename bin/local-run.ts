/** `npm start`: the whole path on this machine, from the app's own templates. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { integerOption, parseCommand, pause, runCommand, stopSignal, UserError } from './support/command-line';
import { startSession } from './support/local-session';
import { Resharding } from './support/resharding';
import { isSettled, progressBlock, progressLine, summarize, summaryLines } from './support/run-report';
import { startSimulation } from './support/simulation-process';
import { findRunning } from './support/target';
import { ProgressDisplay } from './support/terminal';

const USAGE = `Usage: npm start -- [--exit] [--fresh] [--json] [--state DIRECTORY] [--port N] [--mqtt-port N] [--backlog-hours N] [--seed N]
  --exit   end when the backlog is sealed and trained on (the default where there is no terminal); otherwise go on live
  --fresh  forget the state of earlier runs
  --json   print the summary as one JSON object on stdout (npm start --silent -- --json keeps npm's own lines away)`;

/** Written into a state directory, so that --fresh deletes nothing else. */
const MARKER = 'STATE.txt';
/** Nothing moving for this long is a fault. */
const STALL_MS = 180_000;

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      exit: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      state: { type: 'string', default: '.local' },
      port: { type: 'string', default: '4600' },
      'mqtt-port': { type: 'string', default: '8883' },
      'backlog-hours': { type: 'string', default: '24' },
      seed: { type: 'string', default: '7' },
    },
    USAGE,
  );
  const stateDirectory = path.resolve(values.state);
  const backlogHours = integerOption('backlog-hours', values['backlog-hours'], 1, 24 * 31);
  const seed = integerOption('seed', values.seed, 0, 2 ** 31 - 1);
  const port = integerOption('port', values.port, 0, 65_535);
  const mqttPort = integerOption('mqtt-port', values['mqtt-port'], 0, 65_535);
  const interactive = process.stdout.isTTY === true && !values.exit && !values.json;

  const running = findRunning(stateDirectory);
  if (running) {
    throw new UserError(
      `A local run is up already over ${stateDirectory} (process ${running.pid}): stop it with Ctrl-C, or name another directory with --state.`,
    );
  }
  prepareState(stateDirectory, values.fresh);

  const started = performance.now();
  const seconds = (): number => Math.round((performance.now() - started) / 100) / 10;
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());
  const signal = stopSignal();
  const session = await startSession({ stateDirectory, display, port, mqttPort });
  const simulation = startSimulation({ stateDirectory, backlogHours, seed, live: interactive });
  const resharding = new Resharding({ ...session, published: () => simulation.publishedShare });
  try {
    let moved = performance.now();
    let lastState = '';
    let announced = false;
    for (;;) {
      const began = performance.now();
      const snapshot = await session.status.read();
      if (simulation.failure) throw new UserError(`The simulated devices stopped: ${simulation.failure}`);
      if (resharding.failure) throw new UserError(`The stream could not be resharded: ${resharding.failure}`);
      const settled = isSettled(snapshot, simulation, resharding.done);
      const { counts } = resharding;
      display.update(
        progressBlock(snapshot, simulation, session.messages(), counts, seconds()),
        progressLine(snapshot, simulation, counts, seconds()),
      );
      if (settled && !announced) {
        announced = true;
        const summary = summarize(snapshot, { seconds: seconds(), shards: counts, files: session.files });
        if (values.json) console.log(JSON.stringify(summary));
        else summaryLines(summary).forEach((line) => display.say(line));
        if (!interactive) return summary.ok ? 0 : 1;
        display.say('Live now. Ctrl-C stops; npm start goes on from here.');
      }
      if (signal.aborted) return announced ? 0 : 130;
      const state = JSON.stringify([snapshot, simulation.readings]);
      if (state !== lastState) moved = performance.now();
      lastState = state;
      if (!announced && performance.now() - moved > STALL_MS) {
        throw new UserError(
          `Nothing moved for ${STALL_MS / 1000} s: ${progressLine(snapshot, simulation, counts, seconds())}. The logs of tasks and functions are in ${session.logs}.`,
        );
      }
      // Reading the status must not become the work: it takes at most a fifth of the time.
      await pause(Math.max(1_000, 4 * (performance.now() - began)), signal);
    }
  } finally {
    await resharding.stop();
    await simulation.stop();
    await session.close();
  }
}

function prepareState(stateDirectory: string, fresh: boolean): void {
  const marker = path.join(stateDirectory, MARKER);
  const exists = existsSync(stateDirectory) && readdirSync(stateDirectory).length > 0;
  if (exists && !existsSync(marker)) {
    throw new UserError(
      `${stateDirectory} is not empty and was not made by this command: name another directory with --state.`,
    );
  }
  if (fresh) rmSync(stateDirectory, { recursive: true, force: true });
  mkdirSync(stateDirectory, { recursive: true });
  writeFileSync(
    marker,
    'State of the local run: objects, tables, streams, logs. Delete it, or run npm start -- --fresh, to start anew.\n',
  );
}

runCommand(main);
