/** The rules engine: which rules a message activates, their actions, and their error actions. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../gateway/service';
import { Evaluation, SqlFault } from '../sql';
import type { RuleMessage, SqlEnvironment } from '../sql';
import { topicFault } from '../topics';
import { deliver } from './delivery';
import { compileRule } from './rule';
import type { ActionServices, CompiledRule, PreparedAction, Republish, RuleActions, TopicRulePayload } from './rule';

/** What AWS IoT writes to its v2 logs: no payloads. */
export interface RuleLogEntry {
  readonly level: 'ERROR' | 'WARN';
  readonly event: 'SqlFault' | 'ActionFailed' | 'ErrorActionFailed' | 'UnknownRule' | 'RepublishLoop';
  readonly ruleName: string;
  readonly topic: string;
  readonly detail: string;
}

export interface RulesEngineOptions {
  readonly actions: RuleActions;
  readonly clock: Clock;
  readonly onLog?: (entry: RuleLogEntry) => void;
  readonly environment?: Partial<SqlEnvironment>;
}

/** What a device published, or a rule. */
export interface PublishedMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly clientId?: string;
  readonly principal?: string;
  readonly sourceIp?: string;
  /** Set for Basic Ingest: the one rule to run; its FROM is not looked at. */
  readonly basicIngestRule?: string;
}

/** The message is neither where its rule sends it nor with the error action: it must not be acknowledged. */
export class UndeliveredError extends Error {
  override readonly name = 'UndeliveredError';
}

/** A rule that republishes to its own topic ends here. */
const MOST_REPUBLICATIONS = 10;

export class RulesEngine {
  /** Set by the broker: hands a republished message to subscribers. */
  toSubscribers: Republish = () => Promise.resolve();
  /** Since the start. `routed`: evaluations that passed WHERE; `faults`: SQL faults; `failures`: messages to error actions or lost. */
  readonly counts = { routed: 0, faults: 0, failures: 0 };
  private readonly rules = new Map<string, CompiledRule>();
  private readonly environment: SqlEnvironment;

  constructor(private readonly options: RulesEngineOptions) {
    this.environment = { accountId: '000000000000', random: Math.random, uuid: randomUUID, ...options.environment };
  }

  /** Checks the rule and puts it in the place of one of its name. @throws AwsError */
  set(name: string, payload: TopicRulePayload): void {
    this.rules.set(name, compileRule(name, payload));
  }

  delete(name: string): void {
    this.rules.delete(name);
  }

  /**
   * Resolves once every activated rule's actions were accepted, or handed to its error action, or failed where the
   * rule has none (AWS loses the message then; the log says so).
   * @throws UndeliveredError where the error action failed too
   */
  async process(published: PublishedMessage, republications = 0): Promise<void> {
    const message: RuleMessage = { ...published, received: this.options.clock.now(), traceId: this.environment.uuid() };
    const activated = this.activated(published);
    if (activated.length === 1) return this.run(activated[0]!, message, republications);
    const outcomes = await Promise.allSettled(activated.map((rule) => this.run(rule, message, republications)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private activated({ topic, basicIngestRule }: PublishedMessage): CompiledRule[] {
    if (basicIngestRule === undefined)
      return [...this.rules.values()].filter((rule) => !rule.disabled && rule.matches(topic));
    const rule = this.rules.get(basicIngestRule);
    if (rule !== undefined && !rule.disabled) return [rule];
    this.log(
      'WARN',
      'UnknownRule',
      basicIngestRule,
      topic,
      'a Basic Ingest topic names a rule that does not exist or is disabled; the message is dropped',
    );
    return [];
  }

  private async run(rule: CompiledRule, message: RuleMessage, republications: number): Promise<void> {
    const evaluation = new Evaluation(message, this.environment);
    let output: Buffer | undefined;
    let prepared: PreparedAction[];
    try {
      output = rule.statement.evaluate(evaluation);
      if (output === undefined) return;
      prepared = rule.actions.map((action) => action.prepare(evaluation));
    } catch (error) {
      // A payload that nests too deep to be written again is a fault of the statement on it, too.
      if (!(error instanceof SqlFault) && !(error instanceof RangeError)) throw error;
      this.counts.faults++;
      this.log('ERROR', 'SqlFault', rule.name, message.topic, error.message);
      return;
    }
    this.counts.routed++;
    const services = this.services(message, rule, republications);
    const outcomes = await Promise.allSettled(prepared.map((action) => this.attempt(action, output, services)));
    const failures = outcomes.flatMap((outcome, index) =>
      outcome.status === 'fulfilled' ? [] : [{ action: prepared[index]!, detail: detailOf(outcome.reason) }],
    );
    if (failures.length > 0) await this.fail(rule, evaluation, services, failures);
  }

  private attempt(action: PreparedAction, payload: Buffer, services: ActionServices): Promise<void> {
    return deliver(async () => action.run(payload, services), this.options.clock);
  }

  /** @see https://docs.aws.amazon.com/iot/latest/developerguide/rule-error-handling.html */
  private async fail(
    rule: CompiledRule,
    evaluation: Evaluation,
    services: ActionServices,
    failures: readonly { readonly action: PreparedAction; readonly detail: string }[],
  ): Promise<void> {
    this.counts.failures++;
    const { message } = evaluation.scope;
    for (const { action, detail } of failures) {
      this.log('ERROR', 'ActionFailed', rule.name, message.topic, `${action.name} on ${action.resource}: ${detail}`);
    }
    if (rule.errorAction === undefined) return;
    const report = {
      ruleName: rule.name,
      topic: message.topic,
      cloudwatchTraceId: message.traceId,
      clientId: message.clientId ?? 'n/a',
      base64OriginalPayload: message.payload.toString('base64'),
      failures: failures.map(({ action, detail }) => ({
        failedAction: action.name,
        failedResource: action.resource,
        errorMessage: detail,
      })),
    };
    try {
      await this.attempt(rule.errorAction.prepare(evaluation), Buffer.from(JSON.stringify(report)), services);
    } catch (error) {
      this.log('ERROR', 'ErrorActionFailed', rule.name, message.topic, detailOf(error));
      throw new UndeliveredError(`rule ${rule.name}: its error action failed too: ${detailOf(error)}`);
    }
  }

  private services(message: RuleMessage, rule: CompiledRule, republications: number): ActionServices {
    return {
      actions: this.options.actions,
      republish: (topic, payload, qos) => this.republish(topic, payload, qos, message, rule, republications),
    };
  }

  private async republish(
    topic: string,
    payload: Buffer,
    qos: 0 | 1,
    message: RuleMessage,
    rule: CompiledRule,
    republications: number,
  ): Promise<void> {
    const fault = topicFault(topic);
    if (fault !== undefined) throw new Error(`the topic ${fault}`);
    if (republications >= MOST_REPUBLICATIONS) {
      this.log(
        'ERROR',
        'RepublishLoop',
        rule.name,
        message.topic,
        `the message was republished ${republications} times; it is dropped`,
      );
      return;
    }
    await this.toSubscribers(topic, payload, qos);
    await this.process({ topic, payload }, republications + 1);
  }

  private log(
    level: RuleLogEntry['level'],
    event: RuleLogEntry['event'],
    ruleName: string,
    topic: string,
    detail: string,
  ): void {
    this.options.onLog?.({ level, event, ruleName, topic, detail });
  }
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? `${code}: ${error.message}` : error.message;
}
