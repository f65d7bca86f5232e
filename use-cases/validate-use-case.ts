/** The checks behind {@link import('./define-use-case').defineUseCase}: every problem of a definition, in words. */
import { HOUR_MS } from '../lib/contracts/lake-layout';
import { USE_CASE_NAME_PATTERN } from '../lib/contracts/topics';
import { featureColumns, readingColumns } from './columns';
import type { MetricName, TrainingDefinition, UseCase } from './define-use-case';
import { hyperparameterProblems } from './hyperparameters';

const SNAKE_CASE = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
/** IoT rule and pipeline names hold the use case's; SageMaker's limit for step and job names is 63. */
const MAXIMUM_NAME_LENGTH = 40;
/** Column names in the AWS Glue Data Catalog. */
const MAXIMUM_COLUMN_LENGTH = 255;
/** Payload members and Hive partition keys that a column must not hide. */
const RESERVED = ['timestamp', 'label', 'dt', 'hour', 'gen'];
/** An IoT Core message is 128 KB at most; a reading takes about 100 bytes. */
const MAXIMUM_BATCH = 1000;

const METRICS: Readonly<Record<MetricName, { task: 'regression' | 'binary'; better: 'lower' | 'higher' }>> = {
  rmse: { task: 'regression', better: 'lower' },
  mae: { task: 'regression', better: 'lower' },
  rmse_ratio: { task: 'regression', better: 'lower' },
  logloss: { task: 'binary', better: 'lower' },
  auc: { task: 'binary', better: 'higher' },
  aucpr: { task: 'binary', better: 'higher' },
  aucpr_lift: { task: 'binary', better: 'higher' },
};

/** Everything that is wrong with a definition; empty where nothing is. */
export function useCaseProblems(useCase: UseCase): string[] {
  return [
    ...identityProblems(useCase),
    ...schemaProblems(useCase),
    ...windowProblems(useCase),
    ...featureProblems(useCase),
    ...trainingProblems(useCase),
    ...simulatorProblems(useCase),
  ];
}

function isWhole(value: number, minimum: number, maximum = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= minimum && value <= maximum;
}

function blank(value: string): boolean {
  return value.trim() === '';
}

function columnNameProblems(what: string, name: string, reserved: readonly string[]): string[] {
  if (!SNAKE_CASE.test(name)) return [`${what} "${name}" must be snake_case`];
  if (name.length > MAXIMUM_COLUMN_LENGTH)
    return [`${what} ${name.slice(0, 20)}… is longer than ${MAXIMUM_COLUMN_LENGTH}`];
  return reserved.includes(name) ? [`${what} ${name} is a name of the lake's own; choose another`] : [];
}

function identityProblems({ name, title, description, partition }: UseCase): string[] {
  const problems: string[] = [];
  if (!USE_CASE_NAME_PATTERN.test(name)) problems.push(`name "${name}" must match ${USE_CASE_NAME_PATTERN}`);
  if (name.length > MAXIMUM_NAME_LENGTH)
    problems.push(`name has ${name.length} characters, limit ${MAXIMUM_NAME_LENGTH}`);
  if (blank(title)) problems.push('title is empty');
  if (blank(description)) problems.push('description is empty');
  if (!isWhole(partition.latenessMs, 0, 24 * HOUR_MS)) {
    problems.push(
      `partition.latenessMs ${partition.latenessMs} must be a whole number from 0 to ${24 * HOUR_MS} (a day)`,
    );
  }
  return problems;
}

function schemaProblems(useCase: UseCase): string[] {
  const problems: string[] = [];
  const reserved = [...RESERVED, ...readingColumns({ ...useCase, schema: {} }).map((column) => column.name)];
  const fields = Object.entries(useCase.schema);
  for (const [name, field] of fields) {
    problems.push(...columnNameProblems('field', name, reserved));
    if (blank(field.unit)) problems.push(`field ${name} has no unit; use "1" for a plain number`);
    if (blank(field.description)) problems.push(`field ${name} has no description`);
    const { minimum, maximum } = field;
    if (!Number.isFinite(minimum) || !Number.isFinite(maximum) || minimum >= maximum) {
      problems.push(`field ${name} has range ${minimum} to ${maximum}; it must be finite and ascend`);
    } else if (field.type === 'integer' && !(Number.isInteger(minimum) && Number.isInteger(maximum))) {
      problems.push(`field ${name} is an integer, its range ${minimum} to ${maximum} is not`);
    }
  }
  if (!fields.some(([, field]) => field.required)) {
    problems.push('schema needs a required field, else an empty reading would be valid');
  }
  return problems;
}

function windowProblems({ windows: { sizeMs, lookbackMs } }: UseCase): string[] {
  const problems: string[] = [];
  if (!isWhole(sizeMs, 1, HOUR_MS) || HOUR_MS % sizeMs !== 0) {
    problems.push(`windows.sizeMs ${sizeMs} must divide an hour (${HOUR_MS})`);
  }
  if (!isWhole(lookbackMs, 1, HOUR_MS) || lookbackMs < sizeMs) {
    problems.push(`windows.lookbackMs ${lookbackMs} must be from sizeMs (${sizeMs}) to an hour (${HOUR_MS})`);
  }
  return problems;
}

function featureProblems(useCase: UseCase): string[] {
  const problems: string[] = [];
  const reserved = [...RESERVED, ...featureColumns({ ...useCase, features: [] }).map((column) => column.name)];
  const seen = new Set<string>();
  for (const feature of useCase.features) {
    problems.push(...columnNameProblems('feature', feature.name, reserved));
    if (seen.has(feature.name)) problems.push(`feature ${feature.name} is defined twice`);
    seen.add(feature.name);
    if (blank(feature.unit)) problems.push(`feature ${feature.name} has no unit; use "1" for a plain number`);
    if (blank(feature.description)) problems.push(`feature ${feature.name} has no description`);
  }
  if (seen.size === 0) problems.push('features is empty');
  return problems;
}

function trainingProblems(useCase: UseCase): string[] {
  const { training, windows } = useCase;
  const { label, where, split, trigger } = training;
  const problems: string[] = [];
  const names = new Set(useCase.features.map((feature) => feature.name));
  const inputs = training.inputs ?? [...names];
  if (!names.has(label.feature)) problems.push(`label's feature ${label.feature} is not one of the features`);
  if (label.kind === 'event-within') {
    if (!Number.isFinite(label.threshold)) problems.push(`label's threshold ${label.threshold} must be finite`);
    if (!isWhole(label.horizonMs, 1) || label.horizonMs % windows.sizeMs !== 0) {
      problems.push(`label's horizonMs ${label.horizonMs} must be whole windows of ${windows.sizeMs}`);
    }
  }
  if (where !== undefined && !names.has(where.feature))
    problems.push(`where's feature ${where.feature} is not one of the features`);
  if (where !== undefined && !Number.isFinite(where.atLeast))
    problems.push(`where's atLeast ${where.atLeast} must be finite`);
  if (inputs.length === 0) problems.push('inputs is empty');
  for (const input of inputs) if (!names.has(input)) problems.push(`input ${input} is not one of the features`);
  if (new Set(inputs).size !== inputs.length) problems.push('inputs names a feature twice');
  if (split !== 'time' && split !== 'device') problems.push(`split "${String(split)}" must be time or device`);
  const task = label.kind === 'event-within' ? 'binary' : 'regression';
  problems.push(...hyperparameterProblems(training.hyperparameters, task, inputs.length));
  problems.push(...gateProblems(training, inputs, task));
  if (!isWhole(trigger.newPartitions, 1))
    problems.push(`trigger.newPartitions ${trigger.newPartitions} must be 1 or more`);
  if (!isWhole(trigger.minimumRows, 1)) problems.push(`trigger.minimumRows ${trigger.minimumRows} must be 1 or more`);
  if (!isWhole(trigger.cooldown, 0)) problems.push(`trigger.cooldown ${trigger.cooldown} must be 0 ms or more`);
  if (!isWhole(trigger.datasetHours, trigger.newPartitions)) {
    problems.push(
      `trigger.datasetHours ${trigger.datasetHours} must be newPartitions (${trigger.newPartitions}) or more`,
    );
  }
  return problems;
}

function gateProblems({ gate, label }: TrainingDefinition, inputs: readonly string[], task: string): string[] {
  const metric = METRICS[gate.metric];
  if (metric === undefined) return [`gate's metric ${gate.metric} is not one of ${Object.keys(METRICS).join(', ')}`];
  const problems: string[] = [];
  if (metric.task !== task) problems.push(`gate's metric ${gate.metric} does not suit label ${label.kind}`);
  const member = metric.better === 'lower' ? 'atMost' : 'atLeast';
  const limit = (gate as Partial<Record<string, unknown>>)[member];
  if (Object.keys(gate).length !== 2 || typeof limit !== 'number' || !Number.isFinite(limit)) {
    problems.push(`gate on ${gate.metric} needs one limit, ${member}, a finite number`);
  }
  if (gate.metric === 'rmse_ratio' && !inputs.includes(label.feature)) {
    problems.push(`gate on rmse_ratio needs ${label.feature} among the inputs: the baseline repeats it`);
  }
  return problems;
}

function simulatorProblems({ simulator }: UseCase): string[] {
  const problems: string[] = [];
  if (!isWhole(simulator.devices, 1)) problems.push(`simulator.devices ${simulator.devices} must be 1 or more`);
  if (!isWhole(simulator.intervalMs, 1))
    problems.push(`simulator.intervalMs ${simulator.intervalMs} must be 1 or more`);
  if (!isWhole(simulator.batch, 1, MAXIMUM_BATCH)) {
    problems.push(`simulator.batch ${simulator.batch} must be from 1 to ${MAXIMUM_BATCH}`);
  }
  return problems;
}
