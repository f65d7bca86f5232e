/**
 * What a target gets of an event: all of it, a part, a constant, or a template filled from it.
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
 */
import { AwsError } from '../../gateway/service';

export interface TargetInput {
  readonly Input?: string;
  readonly InputPath?: string;
  readonly InputTransformer?: {
    readonly InputPathsMap?: Readonly<Record<string, string>>;
    readonly InputTemplate: string;
  };
}

/** The payload as text: JSON unless the template or constant is not. */
export function renderInput(
  target: TargetInput,
  event: Readonly<Record<string, unknown>>,
  rule: { arn: string; name: string },
): string {
  if (target.Input !== undefined) return target.Input;
  if (target.InputTransformer !== undefined) return fillTemplate(target.InputTransformer, event, rule);
  if (target.InputPath !== undefined) return JSON.stringify(atPath(event, target.InputPath) ?? null);
  return JSON.stringify(event);
}

/**
 * The value at `$`, `$.detail.bucket.name` or `$.resources[0]`; undefined where there is none.
 * @throws AwsError `ValidationException` for another kind of JSONPath
 */
export function atPath(event: unknown, path: string): unknown {
  if (!/^\$(\.[\w-]+|\[\d+\]|\['[^']+'\])*$/.test(path)) {
    throw new AwsError('ValidationException', `InputPath ${path} is no JSONPath of names and indexes`);
  }
  let value = event;
  for (const [, name, index, quoted] of path.matchAll(/\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]/g)) {
    value = (value as Record<string, unknown> | null | undefined)?.[name ?? index ?? quoted!];
  }
  return value;
}

function fillTemplate(
  transformer: NonNullable<TargetInput['InputTransformer']>,
  event: Readonly<Record<string, unknown>>,
  rule: { arn: string; name: string },
): string {
  const reserved: Record<string, unknown> = {
    'aws.events.rule-arn': rule.arn,
    'aws.events.rule-name': rule.name,
    'aws.events.event': event,
    'aws.events.event.json': event,
    'aws.events.event.ingestion-time': event['time'],
  };
  const paths = transformer.InputPathsMap ?? {};
  return transformer.InputTemplate.replace(
    /<([\w.-]+)>/g,
    (placeholder, name: string, offset: number, template: string) => {
      if (!Object.hasOwn(paths, name) && !Object.hasOwn(reserved, name)) return placeholder;
      const value = Object.hasOwn(paths, name) ? atPath(event, paths[name]!) : reserved[name];
      // Inside a string of the template a text goes in as it is, elsewhere as a JSON value.
      if (insideString(template, offset))
        return typeof value === 'string' ? JSON.stringify(value).slice(1, -1) : JSON.stringify(value ?? '');
      return JSON.stringify(value ?? '');
    },
  );
}

function insideString(template: string, offset: number): boolean {
  return (template.slice(0, offset).match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1;
}
