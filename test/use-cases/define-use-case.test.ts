import { useCases } from '../../use-cases';
import { defineUseCase, type Feature, type Gate, type Label, type UseCase } from '../../use-cases/define-use-case';
import { featureColumns, readingColumns } from '../../use-cases/columns';
import { changed, example } from './example';

function feature(name: string): Feature {
  return { name, unit: '1', description: 'x', compute: () => 0 };
}

function training(members: Partial<UseCase['training']>): UseCase {
  return changed({ training: members });
}

function schema(name: string, members: object): UseCase {
  const field = { unit: '1', description: 'x', minimum: 0, maximum: 1, required: true, ...members };
  return changed({ schema: { [name]: field } as UseCase['schema'] });
}

const event: Label = { kind: 'event-within', feature: 'lid_mean', threshold: 0.5, horizonMs: 600_000 };
const logistic = { objective: 'binary:logistic', num_round: '20' };

describe('defineUseCase', () => {
  it('returns a valid definition as it is', () => {
    expect(defineUseCase(example)).toBe(example);
  });

  it.each<[string, UseCase]>([
    ['name "Cold Chain" must match', changed({ name: 'Cold Chain' as never })],
    ['name has 41 characters, limit 40', changed({ name: 'a'.repeat(41) as never })],
    ['title is empty', changed({ title: ' ' as never })],
    ['partition.latenessMs -1 must be', changed({ partition: { latenessMs: -1 } })],
    ['field "coreTemp" must be snake_case', schema('coreTemp', {})],
    ["field timestamp is a name of the lake's own", schema('timestamp', {})],
    ["field sequence_number is a name of the lake's own", schema('sequence_number', {})],
    ['field level has no unit', schema('level', { unit: '' })],
    ['field level has range 5 to 5', schema('level', { minimum: 5, maximum: 5 })],
    ['field level has range 0 to Infinity', schema('level', { maximum: Infinity })],
    ['field level is an integer, its range 0 to 0.5 is not', schema('level', { maximum: 0.5, type: 'integer' })],
    ['schema needs a required field', { ...example, schema: { lid: example.schema.lid! } }],
    ['windows.sizeMs 420000 must divide an hour', changed({ windows: { sizeMs: 420_000 } })],
    ['windows.lookbackMs 60000 must be from sizeMs', changed({ windows: { lookbackMs: 60_000 } })],
    ['windows.lookbackMs 3600001 must be from sizeMs', changed({ windows: { lookbackMs: 3_600_001 } })],
    ['features is empty', { ...example, features: [] }],
    ['feature "Mean" must be snake_case', { ...example, features: [...example.features, feature('Mean')] }],
    ['feature lid_mean is defined twice', { ...example, features: [...example.features, feature('lid_mean')] }],
    ["feature window_end is a name of the lake's own", { ...example, features: [feature('window_end')] }],
    ["label's feature nothing is not one of", training({ label: { kind: 'next-window', feature: 'nothing' } })],
    ["label's horizonMs 1000 must be whole windows", training({ label: { ...event, horizonMs: 1000 } as Label })],
    ["label's threshold NaN must be finite", training({ label: { ...event, threshold: NaN } as Label })],
    ["where's feature nothing is not one of", training({ where: { feature: 'nothing', atLeast: 1 } })],
    ['input nothing is not one of the features', training({ inputs: ['nothing', 'temperature_mean'] })],
    ['inputs is empty', training({ inputs: [] })],
    ['inputs names a feature twice', training({ inputs: ['temperature_mean', 'temperature_mean'] })],
    ['split "random" must be time or device', training({ split: 'random' as never })],
    ["gate's metric f1 is not one of", training({ gate: { metric: 'f1', atLeast: 1 } as unknown as Gate })],
    ["gate's metric auc does not suit label next-window", training({ gate: { metric: 'auc', atLeast: 0.7 } })],
    ['gate on rmse needs one limit, atMost', training({ gate: { metric: 'rmse', atLeast: 1 } })],
    ['gate on rmse_ratio needs temperature_mean among the inputs', training({ inputs: ['lid_mean'] })],
    ['hyperparameter num_round is required', training({ hyperparameters: { objective: 'reg:squarederror' } })],
    [
      'hyperparameter objective must be of the family binary:',
      training({ label: event, gate: { metric: 'auc', atLeast: 0.7 } }),
    ],
    [
      'hyperparameter eta "2" must be a number from 0 to 1',
      training({ hyperparameters: { num_round: '1', eta: '2' } }),
    ],
    ['hyperparameter subsample "0" must be a number above 0 to 1', training({ hyperparameters: { subsample: '0' } })],
    ['hyperparameter max_depth "3.5" must be a whole number', training({ hyperparameters: { max_depth: '3.5' } })],
    ['hyperparameter max_depth "" must be', training({ hyperparameters: { max_depth: '' } })],
    ['hyperparameter learning_rate is not one of', training({ hyperparameters: { learning_rate: '0.1' } })],
    ['hyperparameter num_round must be a string', training({ hyperparameters: { num_round: 20 as never } })],
    [
      'hyperparameter eval_metric rmse does not suit',
      training({
        label: event,
        gate: { metric: 'auc', atLeast: 0.7 },
        hyperparameters: { ...logistic, eval_metric: 'auc,rmse' },
      }),
    ],
    [
      'monotone_constraints has 2 entries for 3 inputs',
      training({ hyperparameters: { num_round: '1', monotone_constraints: '(1,0)', tree_method: 'hist' } }),
    ],
    [
      'monotone_constraints needs tree_method hist or exact',
      training({ hyperparameters: { num_round: '1', monotone_constraints: '(1,0,0)' } }),
    ],
    [
      'trigger.datasetHours 1 must be newPartitions (2) or more',
      training({ trigger: { ...example.training.trigger, newPartitions: 2, datasetHours: 1 } }),
    ],
    ['trigger.minimumRows 0 must be', training({ trigger: { ...example.training.trigger, minimumRows: 0 } })],
    ['simulator.batch 1001 must be', changed({ simulator: { batch: 1001 } })],
    ['simulator.devices 0 must be', changed({ simulator: { devices: 0 } })],
  ])('refuses: %s', (problem, definition) => {
    expect(() => defineUseCase(definition)).toThrow(problem);
  });

  it('lists every problem at once, after the name', () => {
    const broken = { ...changed({ windows: { sizeMs: 7 }, title: '' as never }), features: [] };
    expect(() => defineUseCase(broken)).toThrow(
      /^use case cold-chain: title is empty; windows\.sizeMs 7 .*; features is empty; label's feature temperature_mean/,
    );
  });
});

describe('the use cases', () => {
  it('have names of their own', () => {
    expect(new Set(useCases.map((useCase) => useCase.name)).size).toBe(useCases.length);
  });

  it('admit the ambient temperatures of an office in °F, which is what people replay', () => {
    const { temperature } = useCases.find((useCase) => useCase.name === 'sensor-monitoring')!.schema;
    expect(temperature).toMatchObject({ required: true, minimum: -40, maximum: 125 });
  });

  it('derive their columns, one more use case as well', () => {
    for (const useCase of [...useCases, defineUseCase(example)]) {
      const names = featureColumns(useCase).map((column) => column.name);
      expect(names).toEqual([
        'device',
        'window_start',
        'window_end',
        'readings',
        ...useCase.features.map(({ name }) => name),
      ]);
      expect(readingColumns(useCase).map((column) => column.name)).toEqual(
        expect.arrayContaining(Object.keys(useCase.schema)),
      );
      for (const columns of [names, readingColumns(useCase).map((column) => column.name)]) {
        expect(new Set(columns).size).toBe(columns.length);
      }
    }
  });

  it('publish between 120 and 180 thousand readings a day at scale 1', () => {
    const perDay = useCases.map(({ simulator }) => (simulator.devices * 86_400_000) / simulator.intervalMs);
    const total = perDay.reduce((sum, readings) => sum + readings, 0);
    expect(total).toBeGreaterThan(120_000);
    expect(total).toBeLessThan(180_000);
  });
});
