import { partitionHour } from '../../lib/contracts/registry';
import type { TrainingTarget } from '../../lib/contracts/training';
import { describeError, failuresOf, log, type SqsBatchResponse, type SqsEvent } from '../sqs';
import type { FeatureCatalog } from './catalog';
import { datasetWindow, decide } from './decide';
import type { TrainingExecutions } from './executions';
import type { TrainingRegistry } from './registry';
import { parseWakeUp, type WakeUp } from './wake-up';

export interface PartitionTriggerDependencies {
  readonly registry: TrainingRegistry;
  readonly catalog: FeatureCatalog;
  readonly executions: TrainingExecutions;
  /** Use case → its pipeline, table and policy. */
  readonly targets: Readonly<Record<string, TrainingTarget>>;
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

type PartitionSealed = Extract<WakeUp, { kind: 'partition-sealed' }>;

/** The manifest is written before the registry: a wait that covers the usual case, before the queue's own retry. */
const REGISTRATION_WAITS_MS = [100, 200, 400, 800, 1600, 3200];

/**
 * Handles a batch: sees that the registry knows each sealed partition, decides once per use case, then points Glue at
 * the newest generations. Glue comes last and fails alone: a catalog that refuses must not hold up training.
 */
export function createHandler(dependencies: PartitionTriggerDependencies) {
  const { registry, catalog, targets } = dependencies;

  return async (event: SqsEvent): Promise<SqsBatchResponse> => {
    const failed = new Set<string>();
    /** Runs the work of some messages; if it throws, they stay in the queue. */
    const attempt = async (what: string, messageIds: readonly string[], work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        for (const messageId of messageIds) failed.add(messageId);
        log('error', `${what} failed`, { messageIds, error: describeError(error) });
      }
    };

    const wakeUps = new Map<string, WakeUp>();
    await Promise.all(
      event.Records.map(({ messageId, body }) =>
        attempt('reading the event', [messageId], async () => {
          const wakeUp = parseWakeUp(body, targets);
          if (wakeUp.kind === 'partition-sealed') await noteRegistered(dependencies, wakeUp);
          wakeUps.set(messageId, wakeUp);
        }),
      ),
    );
    for (const useCase of new Set([...wakeUps.values()].map((wakeUp) => wakeUp.useCase))) {
      const messageIds = [...wakeUps].filter(([, wakeUp]) => wakeUp.useCase === useCase).map(([id]) => id);
      await attempt(`deciding on training of ${useCase}`, messageIds, () => train(dependencies, useCase));
    }
    for (const [messageId, wakeUp] of wakeUps) {
      if (wakeUp.kind !== 'partition-sealed') continue;
      const { glueTable } = targets[wakeUp.useCase]!;
      await attempt(`the Glue partition of ${wakeUp.useCase} ${partitionHour(wakeUp.partition)}`, [messageId], () =>
        catalog.follow(glueTable, wakeUp.partition),
      );
    }
    return failuresOf(failed);
  };

  async function noteRegistered({ sleep }: PartitionTriggerDependencies, sealed: PartitionSealed): Promise<void> {
    for (const wait of [...REGISTRATION_WAITS_MS, undefined]) {
      const newest = await registry.sealedPartition(sealed.partition);
      if (newest && newest.generation >= sealed.generation) break;
      if (wait === undefined) {
        throw new Error(
          `the registry does not know generation ${sealed.generation} of ${partitionHour(sealed.partition)} yet`,
        );
      }
      await sleep(wait);
    }
    await registry.noteSealedHour(sealed.useCase, partitionHour(sealed.partition));
  }
}

async function train(dependencies: PartitionTriggerDependencies, useCase: string): Promise<void> {
  const { registry, executions, targets, now } = dependencies;
  const target = targets[useCase]!;
  const state = await registry.trainingState(useCase);
  if (state.newestHour === undefined) return;
  const [sealed, running] = await Promise.all([
    registry.sealedPartitions(useCase, datasetWindow(state.newestHour, target.policy.datasetHours)),
    executions.isRunning(target),
  ]);
  const decision = decide({ useCase, policy: target.policy, state, sealed, running, now: now() });
  if (decision.action === 'wait') {
    log('info', 'no training', { useCase, reason: decision.reason });
    return;
  }
  let datasetHash: string;
  if (decision.action === 'confirm') datasetHash = decision.datasetHash;
  else {
    const { dataset } = decision;
    datasetHash = dataset.hash;
    // The manifest before the claim: whoever confirms a claim may rely on it.
    await executions.putManifest(useCase, dataset);
    if (!(await registry.claimStart(useCase, dataset, state, now()))) {
      log('info', 'no training', { useCase, reason: 'another start was claimed first' });
      return;
    }
  }
  const executionArn = await executions.start(useCase, target, datasetHash);
  await registry.confirmStart(useCase, datasetHash, executionArn);
  log('info', 'training started', { useCase, datasetHash, executionArn });
}
