/**
 * What follows a seal: events, delivered late, twice and out of order, the queue with its visibility timeout, the
 * production partition trigger, and SageMaker with its request tokens. Watches over I7: one execution per dataset, one
 * at a time.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import type { SageMakerClient } from '@aws-sdk/client-sagemaker';
import { datasetWindow } from '../lambda/partition-trigger/decide';
import { TrainingExecutions } from '../lambda/partition-trigger/executions';
import { createHandler } from '../lambda/partition-trigger/handler';
import { TrainingRegistry } from '../lambda/partition-trigger/registry';
import { PARTITION_SK } from '../lib/contracts/registry';
import { PipelineParameter, type TrainingTarget } from '../lib/contracts/training';
import type { VirtualTime } from '../test/kcl/support/virtual-time';
import { operationOf, SimulatedProcess, type ProcessContext } from './process';
import { Random } from './random';
import { Bucket } from './services/bucket';
import { REGISTRY, type Database, type Row } from './services/database';
import { builds, USE_CASE } from './use-case';

const TARGET: TrainingTarget = {
  pipelineName: 'simulated-pipeline',
  glueTable: 'simulated',
  policy: builds['build-1'].training.trigger,
  definitionHash: 'definition',
};
const VISIBILITY_TIMEOUT_MS = 20_000;
/** The function's own time limit. */
const INVOCATION_LIMIT_MS = 15_000;
const MAXIMUM_INVOCATIONS = 2;
const BATCH_SIZE = 10;
const POLL_MS = 500;
const LATEST_EVENT_MS = 5_000;
const LONGEST_EXECUTION_MS = 15_000;

interface Message {
  readonly messageId: string;
  readonly body: string;
  visibleAt: number;
}

interface Execution {
  readonly arn: string;
  readonly token: string;
  readonly datasetHash: string;
  running: boolean;
}

export interface TrainingOptions extends Pick<ProcessContext, 'time' | 'record' | 'faultOf'> {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly database: Database;
  /** Milliseconds until any task of the consumer runs again; nothing changes before. */
  readonly standsFor: () => number;
  readonly violate: (violation: string) => void;
}

export class Training {
  readonly executions: Execution[] = [];
  private readonly random: Random;
  private readonly artifacts = new Bucket();
  private readonly processes: SimulatedProcess[] = [];
  private messages: Message[] = [];
  private sent = 0;
  private invocations = 0;
  private ended = false;

  constructor(private readonly options: TrainingOptions) {
    this.random = new Random(options.seed, 'training');
  }

  sealed(manifestKey: string): void {
    this.publish({ source: 'aws.s3', detail: { object: { key: manifestKey } } });
  }

  heal(): void {
    for (const process of this.processes) process.heal();
  }

  end(): void {
    this.ended = true;
  }

  /** What is still to come, and what should have come. */
  unrest(): string[] {
    if (this.messages.length > 0) return [`${this.messages.length} events are in the queue of the trigger`];
    if (this.executions.some(({ running }) => running)) return ['an execution is running'];
    const rows = this.options.database.rows(REGISTRY);
    const sealed = rows.filter(({ sk, generation }) => sk === PARTITION_SK && generation !== undefined);
    const newest = sealed
      .map(({ hour }) => String(hour))
      .sort()
      .at(-1);
    if (newest === undefined) return [];
    const state = rows.find(({ pk }) => String(pk).startsWith('USE_CASE#')) as Row & { datasetHours?: string[] };
    const due = new Set(datasetWindow(newest, TARGET.policy.datasetHours));
    const trained = new Set(state?.datasetHours);
    return sealed
      .filter(({ hour, rows: features }) => due.has(String(hour)) && Number(features) > 0 && !trained.has(String(hour)))
      .map(({ hour }) => `${hour} is sealed, and no execution was started for it`);
  }

  /** EventBridge delivers at least once, in any order. */
  private publish(event: object): void {
    const copies = this.random.chance(0.2) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const messageId = `event-${this.sent++}`;
      const message = { messageId, body: JSON.stringify(event), visibleAt: 0 };
      this.messages.push(message);
      this.hide([message], this.random.below(LATEST_EVENT_MS));
    }
  }

  /** They are received after so many milliseconds, unless they are deleted by then. */
  private hide(messages: readonly Message[], ms: number): void {
    const { time } = this.options;
    for (const message of messages) message.visibleAt = time.monotonic() + ms;
    time.after(ms, () => this.receive());
  }

  private receive(): void {
    const { time } = this.options;
    const visible = this.messages.filter(({ visibleAt }) => visibleAt <= time.monotonic()).slice(0, BATCH_SIZE);
    if (visible.length === 0 || this.ended) return;
    if (this.invocations >= MAXIMUM_INVOCATIONS) return this.hide(visible, POLL_MS);
    this.hide(visible, Math.max(VISIBILITY_TIMEOUT_MS, this.options.standsFor()));
    void this.invoke(visible);
  }

  private async invoke(messages: readonly Message[]): Promise<void> {
    const { time, record, faultOf } = this.options;
    const name = `trigger-${this.processes.length}`;
    const random = new Random(this.options.seed, name);
    const process = new SimulatedProcess(name, -1, { time, random, record, faultOf, onCrash: () => undefined });
    this.processes.push(process);
    this.invocations++;
    const Records = messages.map(({ messageId, body }) => ({ messageId, body }));
    const handled = this.handlerOf(process)({ Records });
    const answer = await Promise.race([handled, time.sleep(INVOCATION_LIMIT_MS).then(() => undefined)]);
    process.crash();
    this.invocations--;
    if (answer === undefined) return;
    const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    const done = new Set(messages.filter(({ messageId }) => !failed.has(messageId)));
    this.messages = this.messages.filter((message) => !done.has(message));
  }

  private handlerOf(process: SimulatedProcess): ReturnType<typeof createHandler> {
    const registry = new TrainingRegistry(this.options.database.client(process), REGISTRY);
    return createHandler({
      registry,
      // Glue follows the registry and is asked for nothing here.
      catalog: { follow: async () => undefined } as never,
      executions: new TrainingExecutions({
        s3: this.artifacts.client(process, false) as S3Client,
        sageMaker: this.sageMaker(process),
        lakeBucket: 'lake',
        artifactBucket: 'artifacts',
      }),
      targets: { [USE_CASE]: TARGET },
      now: () => process.clock.now(),
      sleep: (ms) => process.clock.sleep(ms),
    });
  }

  private sageMaker(process: SimulatedProcess): SageMakerClient {
    const send = ({ constructor: { name }, input }: { constructor: { name: string }; input: StartInput }) => {
      const operation = operationOf(name);
      return process.request('sagemaker', operation, async () => {
        if (operation === 'StartPipelineExecution') return { PipelineExecutionArn: this.start(input) };
        const PipelineExecutionSummaries = [...this.executions]
          .reverse()
          .slice(0, 20)
          .map(({ running }) => ({ PipelineExecutionStatus: running ? 'Executing' : 'Succeeded' }));
        return { PipelineExecutionSummaries };
      });
    };
    return { send } as unknown as SageMakerClient;
  }

  private start({ ClientRequestToken: token, PipelineParameters }: StartInput): string {
    const { time, violate } = this.options;
    const known = this.executions.find((execution) => execution.token === token);
    if (known !== undefined) return known.arn;
    const datasetHash = PipelineParameters.find(({ Name }) => Name === PipelineParameter.datasetHash)!.Value;
    if (this.executions.some((execution) => execution.datasetHash === datasetHash))
      violate(`I7 dataset ${datasetHash} is trained on twice`);
    if (this.executions.some(({ running }) => running)) violate('I7 two executions run at once');
    const arn = `arn:aws:sagemaker:eu-west-1:123456789012:pipeline/simulated-pipeline/execution/${this.executions.length}`;
    const execution: Execution = { arn, token, datasetHash, running: true };
    this.executions.push(execution);
    time.after(1_000 + this.random.below(LONGEST_EXECUTION_MS), () => {
      execution.running = false;
      this.publish({ source: 'aws.sagemaker', detail: { pipelineArn: arn.split('/execution')[0] } });
    });
    return arn;
  }
}

interface StartInput {
  readonly ClientRequestToken: string;
  readonly PipelineParameters: readonly { readonly Name: string; readonly Value: string }[];
}
