/** Which steps may start now, and whether the execution is over. Pure: plan and step states in, decision out. */
import type { PlannedStep } from './definition';
import { type StepRecord, isTerminal } from './execution-record';

export type Decision =
  | { readonly kind: 'start'; readonly steps: readonly PlannedStep[] }
  /** Something is running; nothing new may start. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'finish'; readonly status: 'Succeeded' | 'Failed' | 'Stopped' };

/**
 * @param stopping StopPipelineExecution was called: nothing new starts
 * @param maxParallel most steps at once
 */
export function decide(
  plan: readonly PlannedStep[],
  records: ReadonlyMap<string, StepRecord>,
  stopping: boolean,
  maxParallel: number,
): Decision {
  const running = [...records.values()].filter(({ status }) => !isTerminal(status)).length;
  const failed = [...records.values()].some(({ status }) => status === 'Failed');
  if (stopping || failed) {
    if (running > 0) return { kind: 'wait' };
    return { kind: 'finish', status: failed && !stopping ? 'Failed' : 'Stopped' };
  }
  const ready = plan.filter(({ step, after, branch }) => {
    if (records.has(step.Name)) return false;
    if (!after.every((name) => records.get(name)?.status === 'Succeeded')) return false;
    return !branch || conditionOutcome(records.get(branch.condition)) === branch.outcome;
  });
  const room = Math.max(0, maxParallel - running);
  if (ready.length > 0 && room > 0) return { kind: 'start', steps: ready.slice(0, room) };
  return running > 0 ? { kind: 'wait' } : { kind: 'finish', status: 'Succeeded' };
}

function conditionOutcome(record: StepRecord | undefined): boolean | undefined {
  return record?.properties === undefined ? undefined : (record.properties as { Outcome: string }).Outcome === 'True';
}
