/** Real XGBoost in the training job, where a Python has it; and what happens where none has. */
import { execFileSync } from 'node:child_process';
import { LocalSageMaker, csvRows, training } from './support/local-sagemaker';

const python = process.env.XGBOOST_PYTHON ?? 'python3';

function version(): string | undefined {
  try {
    return execFileSync(python, ['-c', 'import pyarrow, pandas, xgboost; print(xgboost.__version__)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

const found = version();
if (found === undefined)
  console.warn(
    'SKIPPED: real XGBoost trains (no python3 with xgboost, pandas and pyarrow; set XGBOOST_PYTHON to one that has them)',
  );

async function runWith(
  options: ConstructorParameters<typeof LocalSageMaker>[0],
): Promise<{ status: string; reason?: string; message?: string; lines: string[] }> {
  const local = new LocalSageMaker(options);
  try {
    await local.store.put('bucket', 'train/rows.csv', Buffer.from(csvRows(200)));
    await local.createPipeline([training('Train', 's3://bucket/train')]);
    const { steps } = await local.run();
    const { TrainingJobSummaries } = await local.call<{ TrainingJobSummaries: { TrainingJobName: string }[] }>(
      'ListTrainingJobs',
      {},
    );
    const job = await local.call('DescribeTrainingJob', { TrainingJobName: TrainingJobSummaries[0]!.TrainingJobName });
    const transitions = job.SecondaryStatusTransitions as { Status: string; StatusMessage: string }[];
    return {
      status: steps[0]!.StepStatus,
      reason: steps[0]!.FailureReason,
      message: transitions.find(({ Status }) => Status === 'Training')?.StatusMessage,
      lines: [...local.lines],
    };
  } finally {
    await local.close();
  }
}

test('without a Python that can train the built-in trainer does, and says so', async () => {
  const { status, message, lines } = await runWith({ trainer: 'auto', findPython: async () => undefined });
  expect(status).toBe('Succeeded');
  expect(message).toContain('trainer: built-in');
  expect(lines).toContain('trainer: built-in');
});

test('a Python that was demanded and cannot train fails the job', async () => {
  const { status, reason } = await runWith({ trainer: 'python', findPython: async () => undefined });
  expect([status, reason]).toEqual(['Failed', expect.stringMatching(/python3 cannot import xgboost/)]);
});

(found === undefined ? test.skip : test)('real XGBoost trains on the same files and logs the same lines', async () => {
  const { status, message, lines } = await runWith({
    trainer: 'auto',
    findPython: async () => ({ command: python, version: found! }),
  });
  expect(status).toBe('Succeeded');
  expect(message).toContain(`trainer: xgboost ${found} (${python})`);
  expect(lines.filter((line) => /^\[\d\]#011train-rmse:[\d.]+#011validation-rmse:[\d.]+$/.test(line))).toHaveLength(5);
});
