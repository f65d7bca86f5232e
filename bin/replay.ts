/** `npm run replay -- --use-case U --file F --time COLUMN --map field=column`: real readings, published as devices would. */
import path from 'node:path';
import { partitionOf } from '../lib/contracts/lake-layout';
import { partitionHour } from '../lib/contracts/registry';
import type { UseCase } from '../use-cases/define-use-case';
import { parseCommand, pause, runCommand, stopSignal, UserError } from './support/command-line';
import { Device } from './support/device';
import { mqttEndpoint, provisionFleet } from './support/fleet';
import { openSession, type Session } from './support/local-session';
import type { PartitionCounts } from './support/pipeline-status';
import { readReadings, type FileReading, type ReadingsFileOptions } from './support/readings-file';
import { count, ProgressDisplay, table } from './support/terminal';
import { useCaseOption } from './support/use-case-option';

const USAGE = `Usage: npm run replay -- --use-case NAME --file readings.csv --time COLUMN --map FIELD=COLUMN [--map …]
  [--device NAME] [--time-unit s|ms] [--state DIRECTORY] [--json]
Publishes a CSV or NDJSON file of readings over MQTT and waits until the partitions of its event times are sealed.`;

/** Readings in one publish, as a gateway that catches up would pack them. */
const BATCH = 25;
/** No progress for this long is a fault. */
const STALL_MS = 120_000;

interface Summary {
  ok: boolean;
  useCase: string;
  readings: number;
  folded: number;
  duplicates: number;
  quarantined: number;
  partitions: number;
  partitionsChanged: number;
  files: string;
}

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(
    args,
    {
      'use-case': { type: 'string' },
      file: { type: 'string' },
      time: { type: 'string' },
      'time-unit': { type: 'string', default: 'ms' },
      map: { type: 'string', multiple: true },
      device: { type: 'string' },
      state: { type: 'string', default: '.local' },
      json: { type: 'boolean', default: false },
    },
    USAGE,
  );
  const useCase = useCaseOption(values['use-case']);
  if (values['time-unit'] !== 's' && values['time-unit'] !== 'ms')
    throw new UserError(`--time-unit is s or ms.\n${USAGE}`);
  const options: ReadingsFileOptions = {
    file: path.resolve(required('file', values.file)),
    useCase,
    timeColumn: required('time', values.time),
    timeUnit: values['time-unit'],
    columns: parseMap(useCase, values.map ?? []),
  };
  // The whole file is checked before the first reading is published, so that a bad row leaves nothing half-done.
  const hours = await checkFile(options);
  const stream = values.json ? process.stderr : process.stdout;
  const display = new ProgressDisplay(stream, () => performance.now());
  const signal = stopSignal();
  const session = await openSession({ stateDirectory: path.resolve(values.state), display });
  try {
    const summary = await replay(session, options, values.device ?? `${useCase.name}-replay`, hours, display, signal);
    if (!summary) return 130;
    if (values.json) console.log(JSON.stringify(summary));
    else printSummary(summary, display);
    return summary.ok ? 0 : 1;
  } finally {
    await session.close();
  }
}

async function replay(
  session: Session,
  options: ReadingsFileOptions,
  deviceName: string,
  hours: Hours,
  display: ProgressDisplay,
  signal: AbortSignal,
): Promise<Summary | undefined> {
  const { useCase } = options;
  const before = await session.status.readHours(useCase.name, [...hours.keys()]);
  const ledgerBefore = await session.status.ledgerCounts(useCase.name);
  const readings = [...hours.values()].reduce((sum, each) => sum + each, 0);

  const [identity] = await provisionFleet({ ...session.fleet, useCase: useCase.name, names: [deviceName] });
  if (!identity) return undefined;
  const device = await Device.connect(identity, await mqttEndpoint(session.fleet.iot, session.ca));
  try {
    let published = 0;
    let batch: FileReading[] = [];
    const send = async (): Promise<void> => {
      const size = batch.length;
      await device.publish(payloadOf(batch), () => (published += size));
      batch = [];
      display.update(
        [`published ${count(published)} of ${count(readings)} readings`],
        `published ${published} of ${readings}`,
      );
    };
    for await (const reading of readReadings(options)) {
      if (signal.aborted) return undefined;
      batch.push(reading);
      if (batch.length === BATCH) await send();
    }
    if (batch.length > 0) await send();
    await device.drain();
  } finally {
    await device.close();
  }
  const publishedAt = Date.now();

  let lastChange = performance.now();
  let lastState = '';
  for (;;) {
    if (signal.aborted) return undefined;
    const ledger = await session.status.ledgerCounts(useCase.name);
    const quarantined = ledger.quarantined - ledgerBefore.quarantined;
    const committed = ledger.registered - ledgerBefore.registered + quarantined;
    const open = await session.status.unfoldedHours(useCase.name);
    const waiting = [...hours.keys()].filter((hour) => open.has(hour)).length;
    const state = `committed ${count(Math.min(committed, readings))} of ${count(readings)} readings, sealed ${count(hours.size - waiting)} of ${count(hours.size)} partitions`;
    display.update([state], state);
    if (ledger.committedUntil >= publishedAt && waiting === 0) {
      const after = await session.status.readHours(useCase.name, [...hours.keys()]);
      return summarize(options, readings, quarantined, before, after, session.files);
    }
    if (state !== lastState) lastChange = performance.now();
    lastState = state;
    if (performance.now() - lastChange > STALL_MS) {
      throw new UserError(
        `Nothing moved for ${STALL_MS / 1000} s (${state}). The consumer's logs are in ${session.logs}.`,
      );
    }
    await pause(1_000, signal);
  }
}

function summarize(
  options: ReadingsFileOptions,
  readings: number,
  quarantined: number,
  before: ReadonlyMap<string, PartitionCounts>,
  after: ReadonlyMap<string, PartitionCounts>,
  files: string,
): Summary {
  let folded = 0;
  let duplicates = 0;
  let partitionsChanged = 0;
  for (const [hour, now] of after) {
    const then = before.get(hour);
    folded += now.folded - (then?.folded ?? 0);
    duplicates += now.duplicates - (then?.duplicates ?? 0);
    if (now.contentHash !== then?.contentHash) partitionsChanged += 1;
  }
  return {
    ok: folded + duplicates + quarantined === readings,
    useCase: options.useCase.name,
    readings,
    folded,
    duplicates,
    quarantined,
    partitions: after.size,
    partitionsChanged,
    files,
  };
}

function printSummary(summary: Summary, display: ProgressDisplay): void {
  const rows = [
    ['readings', 'folded', 'duplicates', 'quarantined', 'partitions', 'changed'],
    [
      summary.readings,
      summary.folded,
      summary.duplicates,
      summary.quarantined,
      summary.partitions,
      summary.partitionsChanged,
    ].map(count),
  ];
  for (const line of table(rows)) display.say(line);
  display.say(`Files: ${summary.files}`);
}

/** Partition hour → readings of the file in it. */
type Hours = Map<string, number>;

async function checkFile(options: ReadingsFileOptions): Promise<Hours> {
  const hours: Hours = new Map();
  for await (const { timestamp } of readReadings(options)) {
    const hour = partitionHour(partitionOf(options.useCase.name, timestamp));
    hours.set(hour, (hours.get(hour) ?? 0) + 1);
  }
  return hours;
}

function payloadOf(batch: readonly FileReading[]): Buffer {
  return Buffer.from(JSON.stringify(batch.map(({ timestamp, values }) => ({ timestamp, ...values }))));
}

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new UserError(`--${name} is missing.\n${USAGE}`);
  return value;
}

function parseMap(useCase: UseCase, entries: readonly string[]): Record<string, string> {
  const columns: Record<string, string> = {};
  for (const entry of entries.flatMap((each) => each.split(','))) {
    const [field, column] = entry.split('=');
    if (!field || !column) throw new UserError(`--map "${entry}": it must be FIELD=COLUMN.\n${USAGE}`);
    if (!(field in useCase.schema)) {
      throw new UserError(
        `--map ${entry}: ${useCase.name} has no field "${field}"; it has: ${Object.keys(useCase.schema).join(', ')}.`,
      );
    }
    columns[field] = column;
  }
  if (Object.keys(columns).length === 0) throw new UserError(`--map is missing.\n${USAGE}`);
  return columns;
}

runCommand(main);
