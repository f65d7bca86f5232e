/** I7: what would start two executions is found, and the product does not do it. */
import { TrainingExecutions } from '../../lambda/partition-trigger/executions';
import type { Fault } from '../../simulation/faults';
import { simulate } from '../../simulation/run';

beforeEach(() => void jest.spyOn(console, 'log').mockImplementation(() => undefined));
afterEach(() => jest.restoreAllMocks());

const lostStart: Fault = {
  at: 0,
  kind: 'call',
  service: 'sagemaker',
  match: 'StartPipelineExecution',
  effect: 'lose-answer',
  ms: 0,
};

test('a start whose answer was lost is asked for again with the same token', async () => {
  const { violations, executions } = await simulate({ seed: 4, faults: [lostStart] });
  expect(violations).toEqual([]);
  expect(executions).toBeGreaterThan(0);
});

test('with another token at every call the dataset would be trained on twice', async () => {
  const start = TrainingExecutions.prototype.start;
  let calls = 0;
  jest.spyOn(TrainingExecutions.prototype, 'start').mockImplementation(function (this: TrainingExecutions, ...args) {
    const [useCase, target, datasetHash] = args;
    return start.call(this, useCase, { ...target, definitionHash: String(calls++) }, datasetHash);
  });
  const { violations } = await simulate({ seed: 4, faults: [lostStart] });
  expect(violations).toContainEqual(expect.stringMatching(/^I7 dataset .* is trained on twice$/));
});

test('without a look at what runs, two executions would run at once', async () => {
  jest.spyOn(TrainingExecutions.prototype, 'isRunning').mockResolvedValue(false);
  const { violations } = await simulate({ seed: 8 });
  expect(violations).toContain('I7 two executions run at once');
});
