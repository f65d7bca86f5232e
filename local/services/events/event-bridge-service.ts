/**
 * Amazon EventBridge: buses, rules, patterns and targets, with retries and dead-letter queues per target.
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
 */
import { randomUUID } from 'node:crypto';
import { AwsError } from '../../gateway/service';
import type { Caller, Clock, JsonService } from '../../gateway/service';
import { renderInput } from './input';
import type { TargetInput } from './input';
import { compilePattern } from './pattern';
import type { EventMatcher } from './pattern';

export interface Target extends TargetInput {
  readonly Id: string;
  readonly Arn: string;
  readonly RoleArn?: string;
  readonly RetryPolicy?: { readonly MaximumRetryAttempts?: number; readonly MaximumEventAgeInSeconds?: number };
  readonly DeadLetterConfig?: { readonly Arn?: string };
}

interface Rule {
  readonly name: string;
  readonly bus: string;
  readonly arn: string;
  readonly pattern: string;
  readonly matches: EventMatcher;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly description?: string;
  readonly targets: Map<string, Target>;
}

/** Where an event came from and what about; the bus adds the rest. */
export interface ServiceEvent {
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: unknown;
  readonly resources?: readonly string[];
}

export interface EventBridgeOptions {
  readonly clock: Clock;
  readonly accountId: string;
  readonly region: string;
  /** Hands a payload to a target, as the rule. Throws to have it retried. */
  readonly deliver: (target: Target, payload: string, ruleArn: string) => Promise<void>;
  /** Whether events can be delivered to the ARN. */
  readonly supports: (targetArn: string) => boolean;
  readonly deadLetter: (queueArn: string, body: string, attributes: Readonly<Record<string, string>>) => Promise<void>;
  readonly onLog: (message: string) => void;
}

const DEFAULT_BUS = 'default';
const DEFAULT_RETRIES = 185;
const DEFAULT_AGE_SECONDS = 86_400;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

type Input = Record<string, unknown>;

export class EventBridgeService implements JsonService {
  readonly name = 'events';
  readonly protocol = 'json-1.1';
  private readonly buses = new Map<string, Map<string, Rule>>([[DEFAULT_BUS, new Map()]]);
  private readonly cancels = new Set<() => void>();
  private closed = false;

  constructor(private readonly options: EventBridgeOptions) {}

  async call(operation: string, input: Input, _caller: Caller): Promise<unknown> {
    switch (operation) {
      case 'PutEvents':
        return this.putEvents(input);
      case 'PutRule':
        return this.putRule(input);
      case 'DescribeRule':
        return describe(this.rule(input));
      case 'ListRules':
        return { Rules: this.list(input).map(describe) };
      case 'DeleteRule':
        return this.deleteRule(input);
      case 'EnableRule':
        return this.replace(this.rule(input), { state: 'ENABLED' });
      case 'DisableRule':
        return this.replace(this.rule(input), { state: 'DISABLED' });
      case 'PutTargets':
        return this.putTargets(input);
      case 'RemoveTargets':
        return this.removeTargets(input);
      case 'ListTargetsByRule':
        return { Targets: [...this.rule(input).targets.values()] };
      case 'CreateEventBus':
        return this.createBus(String(input['Name']));
      case 'DescribeEventBus':
        return this.describeBus(busName(input['Name']));
      case 'ListEventBuses':
        return { EventBuses: [...this.buses.keys()].map((name) => this.describeBus(name)) };
      case 'TestEventPattern':
        return {
          Result: compilePattern(input['EventPattern'])(JSON.parse(String(input['Event'])) as Record<string, unknown>),
        };
      default:
        throw new AwsError('UnknownOperationException', `EventBridge ${operation} is not served locally`);
    }
  }

  /**
   * An event of an AWS service, on the default bus. Resolves when every target has it, or failed once and will be tried
   * again. Never rejects.
   */
  publish(event: ServiceEvent): Promise<void> {
    return this.dispatch(DEFAULT_BUS, this.envelope(event));
  }

  /** Waiting retries are dropped. */
  close(): void {
    this.closed = true;
    for (const cancel of this.cancels) cancel();
  }

  private envelope(event: ServiceEvent & { readonly time?: number }): Record<string, unknown> {
    return {
      version: '0',
      id: randomUUID(),
      'detail-type': event['detail-type'],
      source: event.source,
      account: this.options.accountId,
      time: `${new Date(event.time ?? this.options.clock.now()).toISOString().slice(0, 19)}Z`,
      region: this.options.region,
      resources: event.resources ?? [],
      detail: event.detail,
    };
  }

  private putEvents(input: Input): unknown {
    const entries = input['Entries'] as Input[] | undefined;
    if (entries === undefined || entries.length === 0 || entries.length > 10) {
      throw new AwsError('ValidationException', 'PutEvents takes 1 to 10 entries');
    }
    const results = entries.map((entry) => this.putEvent(entry));
    return { FailedEntryCount: results.filter((result) => 'ErrorCode' in result).length, Entries: results };
  }

  private putEvent(entry: Input): { EventId: string } | { ErrorCode: string; ErrorMessage: string } {
    const { Source, DetailType, Detail, Resources, Time } = entry;
    for (const [name, value] of Object.entries({ Source, DetailType, Detail })) {
      if (typeof value !== 'string' || value === '') {
        return {
          ErrorCode: 'InvalidArgument',
          ErrorMessage: `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
        };
      }
    }
    if (String(Source).startsWith('aws.')) {
      return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
    }
    let detail: unknown;
    try {
      detail = JSON.parse(String(Detail));
    } catch {
      return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    }
    const event = this.envelope({
      source: String(Source),
      'detail-type': String(DetailType),
      detail,
      resources: Resources as string[] | undefined,
      time: typeof Time === 'number' ? Time * 1_000 : undefined,
    });
    // Events to a bus that is not there are accepted and dropped, as by EventBridge.
    void this.dispatch(busName(entry['EventBusName']), event);
    return { EventId: String(event['id']) };
  }

  private async dispatch(bus: string, event: Record<string, unknown>): Promise<void> {
    const deliveries: Promise<void>[] = [];
    for (const rule of this.buses.get(bus)?.values() ?? []) {
      if (rule.state === 'DISABLED' || !rule.matches(event)) continue;
      for (const target of rule.targets.values()) {
        const age = target.RetryPolicy?.MaximumEventAgeInSeconds ?? DEFAULT_AGE_SECONDS;
        const deadline = this.options.clock.now() + age * 1_000;
        deliveries.push(this.deliver(rule, target, renderInput(target, event, rule), 0, deadline));
      }
    }
    await Promise.all(deliveries);
  }

  private async deliver(rule: Rule, target: Target, payload: string, attempt: number, deadline: number): Promise<void> {
    try {
      await this.options.deliver(target, payload, rule.arn);
    } catch (error) {
      if (this.closed) return;
      const delay = Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
      const retries = target.RetryPolicy?.MaximumRetryAttempts ?? DEFAULT_RETRIES;
      if (attempt < retries && this.options.clock.now() + delay <= deadline) {
        const cancel = this.options.clock.after(delay, () => {
          this.cancels.delete(cancel);
          void this.deliver(rule, target, payload, attempt + 1, deadline);
        });
        this.cancels.add(cancel);
      } else {
        await this.giveUp(rule, target, payload, error as Error);
      }
    }
  }

  private async giveUp(rule: Rule, target: Target, payload: string, error: Error): Promise<void> {
    const queue = target.DeadLetterConfig?.Arn;
    if (queue === undefined) {
      this.options.onLog(`rule ${rule.name}: an event was dropped, ${target.Arn} failed: ${error.message}`);
      return;
    }
    const attributes = {
      RULE_ARN: rule.arn,
      TARGET_ARN: target.Arn,
      ERROR_CODE: error.name,
      ERROR_MESSAGE: error.message,
    };
    await this.options.deadLetter(queue, payload, attributes).catch((failure: Error) => {
      this.options.onLog(
        `rule ${rule.name}: an event was dropped, dead-letter queue ${queue} failed: ${failure.message}`,
      );
    });
  }

  private putRule(input: Input): unknown {
    const name = String(input['Name']);
    const bus = busName(input['EventBusName']);
    if (input['ScheduleExpression'] !== undefined) {
      throw new AwsError('ValidationException', `Rule ${name}: schedules are not served locally, only event patterns`);
    }
    const rules = this.rulesOf(bus);
    const rule: Rule = {
      name,
      bus,
      arn: `arn:aws:events:${this.options.region}:${this.options.accountId}:rule/${bus === DEFAULT_BUS ? '' : `${bus}/`}${name}`,
      pattern: String(input['EventPattern']),
      matches: compilePattern(input['EventPattern']),
      state: input['State'] === 'DISABLED' ? 'DISABLED' : 'ENABLED',
      description: input['Description'] as string | undefined,
      targets: rules.get(name)?.targets ?? new Map<string, Target>(),
    };
    rules.set(name, rule);
    return { RuleArn: rule.arn };
  }

  private putTargets(input: Input): unknown {
    const rule = this.rule(input);
    for (const target of (input['Targets'] ?? []) as Target[]) {
      if (!this.options.supports(target.Arn)) {
        throw new AwsError(
          'ValidationException',
          `Rule ${rule.name}: target ${target.Arn} is of a kind that is not served locally`,
        );
      }
      rule.targets.set(target.Id, target);
    }
    return { FailedEntryCount: 0, FailedEntries: [] };
  }

  private removeTargets(input: Input): unknown {
    const rule = this.rule(input);
    for (const id of (input['Ids'] ?? []) as string[]) rule.targets.delete(id);
    return { FailedEntryCount: 0, FailedEntries: [] };
  }

  private deleteRule(input: Input): unknown {
    const rules = this.rulesOf(busName(input['EventBusName']));
    const rule = rules.get(String(input['Name']));
    if (rule !== undefined && rule.targets.size > 0) {
      throw new AwsError('ValidationException', "Rule can't be deleted since it has targets.");
    }
    rules.delete(String(input['Name']));
    return {};
  }

  private replace(rule: Rule, change: Pick<Rule, 'state'>): unknown {
    this.rulesOf(rule.bus).set(rule.name, { ...rule, ...change });
    return {};
  }

  private rule(input: Input): Rule {
    const name = String(input['Name'] ?? input['Rule']);
    const rule = this.rulesOf(busName(input['EventBusName'])).get(name);
    if (rule === undefined) throw new AwsError('ResourceNotFoundException', `Rule ${name} does not exist.`);
    return rule;
  }

  private list(input: Input): Rule[] {
    const prefix = String(input['NamePrefix'] ?? '');
    return [...this.rulesOf(busName(input['EventBusName'])).values()].filter(({ name }) => name.startsWith(prefix));
  }

  private rulesOf(bus: string): Map<string, Rule> {
    const rules = this.buses.get(bus);
    if (rules === undefined) throw new AwsError('ResourceNotFoundException', `Event bus ${bus} does not exist.`);
    return rules;
  }

  private createBus(name: string): unknown {
    if (this.buses.has(name)) throw new AwsError('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
    this.buses.set(name, new Map());
    return { EventBusArn: this.describeBus(name).Arn };
  }

  private describeBus(name: string): { Name: string; Arn: string } {
    this.rulesOf(name);
    return { Name: name, Arn: `arn:aws:events:${this.options.region}:${this.options.accountId}:event-bus/${name}` };
  }
}

/** A bus by its name or ARN. */
function busName(value: unknown): string {
  return typeof value === 'string' ? value.slice(value.lastIndexOf('/') + 1) : DEFAULT_BUS;
}

function describe(rule: Rule): unknown {
  return {
    Name: rule.name,
    Arn: rule.arn,
    EventPattern: rule.pattern,
    State: rule.state,
    EventBusName: rule.bus,
    ...(rule.description !== undefined && { Description: rule.description }),
  };
}
