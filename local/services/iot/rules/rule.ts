/** A topic rule: what CreateTopicRule takes, checked and compiled. */
import { AwsError } from '../../../gateway/service';
import { SqlSyntaxError, compileStatement, compileTemplate, variablesOf } from '../sql';
import type { Evaluation, RuleStatement, Template } from '../sql';
import { topicMatcher } from '../topics';

/** Members of CreateTopicRule's topicRulePayload that are used here. */
export interface TopicRulePayload {
  readonly sql: string;
  readonly description?: string;
  readonly actions: readonly Readonly<Record<string, Readonly<Record<string, unknown>>>>[];
  readonly ruleDisabled?: boolean;
  readonly awsIotSqlVersion?: string;
  readonly errorAction?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What rules deliver to; each resolves once the service has accepted the data. `roleArn` is the rule's role. */
export interface RuleActions {
  kinesis(streamName: string, partitionKey: string, data: Buffer, roleArn: string): Promise<void>;
  sqs(queueUrl: string, body: string, roleArn: string): Promise<void>;
  s3?(bucketName: string, key: string, body: Buffer, roleArn: string): Promise<void>;
  /** Resolves once Lambda has queued the event. */
  lambda?(functionArn: string, payload: Buffer): Promise<void>;
}

/** Delivers to the broker's subscribers, and to rules. */
export type Republish = (topic: string, payload: Buffer, qos: 0 | 1) => Promise<void>;

export interface CompiledRule {
  readonly name: string;
  readonly disabled: boolean;
  /** False for a rule without FROM, which only Basic Ingest reaches. */
  readonly matches: (topic: string) => boolean;
  readonly statement: RuleStatement;
  readonly actions: readonly CompiledAction[];
  readonly errorAction: CompiledAction | undefined;
}

export interface CompiledAction {
  /** Evaluates the action's templates. @throws SqlFault */
  prepare(evaluation: Evaluation): PreparedAction;
}

/** Names as in the messages that an error action gets. */
export interface PreparedAction {
  /** `KinesisAction`, `SqsAction`, … */
  readonly name: string;
  readonly resource: string;
  run(payload: Buffer, services: ActionServices): Promise<void>;
}

export interface ActionServices {
  readonly actions: RuleActions;
  readonly republish: Republish;
}

const MOST_ACTIONS = 10;

/** @throws AwsError InvalidRequestException or SqlParseException that name the rule and what is wrong with it. */
export function compileRule(name: string, payload: TopicRulePayload): CompiledRule {
  if (!/^[a-zA-Z0-9_]{1,128}$/.test(name)) {
    throw new AwsError(
      'InvalidRequestException',
      `The rule name ${JSON.stringify(name)} is not 1–128 letters, digits and underscores`,
      400,
    );
  }
  const { sql, actions, awsIotSqlVersion, errorAction } = payload;
  if (awsIotSqlVersion !== '2016-03-23') {
    throw invalid(
      name,
      `awsIotSqlVersion is ${awsIotSqlVersion ?? 'absent, which means 2015-10-08'}; only 2016-03-23 is evaluated here`,
    );
  }
  if (!Array.isArray(actions) || actions.length > MOST_ACTIONS)
    throw invalid(name, `it has ${actions?.length ?? 'no'} actions; up to ${MOST_ACTIONS} are allowed`);
  try {
    const statement = compileStatement(sql);
    const variables = variablesOf(sql);
    return {
      name,
      disabled: payload.ruleDisabled === true,
      matches: statement.topicFilter === undefined ? () => false : topicMatcher(statement.topicFilter),
      statement,
      actions: actions.map((action) => compileAction(name, action, variables)),
      errorAction: errorAction === undefined ? undefined : compileAction(name, errorAction, variables),
    };
  } catch (error) {
    if (!(error instanceof SqlSyntaxError)) throw error;
    throw new AwsError('SqlParseException', `Rule ${name}: ${error.message}`, 400);
  }
}

type Fields = Readonly<Record<string, unknown>>;
type Compile = (fields: ActionFields) => CompiledAction;

const ACTIONS: Readonly<Record<string, Compile>> = {
  kinesis: (fields) => {
    const streamName = fields.template('streamName');
    // AWS IoT takes a random key where the rule gives none.
    const partitionKey = fields.has('partitionKey') ? fields.template('partitionKey') : compileTemplate('${newuuid()}');
    const roleArn = fields.text('roleArn');
    return prepared('KinesisAction', (evaluation) => {
      const [resource, key] = [streamName.evaluate(evaluation), partitionKey.evaluate(evaluation)];
      return { resource, run: (payload, services) => services.actions.kinesis(resource, key, payload, roleArn) };
    });
  },
  sqs: (fields) => {
    const queueUrl = fields.text('queueUrl');
    const roleArn = fields.text('roleArn');
    const encoding = fields.flag('useBase64') ? 'base64' : 'utf8';
    return prepared('SqsAction', () => ({
      resource: queueUrl,
      run: (payload, services) => services.actions.sqs(queueUrl, payload.toString(encoding), roleArn),
    }));
  },
  s3: (fields) => {
    const [bucketName, key] = [fields.template('bucketName'), fields.template('key')];
    const roleArn = fields.text('roleArn');
    return prepared('S3Action', (evaluation) => {
      const [resource, objectKey] = [bucketName.evaluate(evaluation), key.evaluate(evaluation)];
      return {
        resource,
        run: (payload, { actions }) => actions.s3?.(resource, objectKey, payload, roleArn) ?? missing('s3'),
      };
    });
  },
  lambda: (fields) => {
    const functionArn = fields.text('functionArn');
    return prepared('LambdaAction', () => ({
      resource: functionArn,
      run: (payload, { actions }) => actions.lambda?.(functionArn, payload) ?? missing('lambda'),
    }));
  },
  republish: (fields) => {
    const topic = fields.template('topic');
    const qos = fields.text('qos', '0') === '1' ? 1 : 0;
    fields.text('roleArn');
    return prepared('RepublishAction', (evaluation) => {
      // A reserved topic is written with $$.
      const resource = topic.evaluate(evaluation).replace(/^\$\$/, '$');
      return { resource, run: (payload, { republish }) => republish(resource, payload, qos) };
    });
  },
};

function compileAction(
  rule: string,
  action: Readonly<Record<string, Fields>>,
  variables: ReadonlySet<string>,
): CompiledAction {
  const [kind, ...more] = Object.keys(action);
  if (kind === undefined || more.length > 0) throw invalid(rule, 'each action names exactly one kind');
  const compile = Object.hasOwn(ACTIONS, kind) ? ACTIONS[kind]! : undefined;
  if (compile === undefined)
    throw invalid(rule, `the local rules engine has no ${kind} action; it has ${Object.keys(ACTIONS).join(', ')}`);
  return compile(new ActionFields(rule, kind, action[kind]!, variables));
}

function prepared(name: string, prepare: (evaluation: Evaluation) => Omit<PreparedAction, 'name'>): CompiledAction {
  return { prepare: (evaluation) => ({ name, ...prepare(evaluation) }) };
}

function missing(kind: string): Promise<never> {
  return Promise.reject(new Error(`this local run delivers no ${kind} actions`));
}

/** An action's members, with errors that name them. */
class ActionFields {
  constructor(
    private readonly rule: string,
    private readonly kind: string,
    private readonly fields: Fields,
    private readonly variables: ReadonlySet<string>,
  ) {}

  has(name: string): boolean {
    return this.fields[name] !== undefined;
  }

  text(name: string, otherwise?: string): string {
    const value = this.fields[name] ?? otherwise;
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
    throw invalid(this.rule, `${this.kind}.${name} must be a string`);
  }

  flag(name: string): boolean {
    return this.fields[name] === true || this.fields[name] === 'true';
  }

  template(name: string): Template {
    return compileTemplate(this.text(name), this.variables);
  }
}

function invalid(rule: string, detail: string): AwsError {
  return new AwsError('InvalidRequestException', `Rule ${rule}: ${detail}`, 400);
}
