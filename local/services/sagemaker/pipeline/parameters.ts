/** Values of a pipeline's parameters: StartPipelineExecution gives strings, the declaration says what they are. */
import { validation } from '../input';
import type { ParameterDeclaration, ParameterValue } from './definition';

const MAXIMUM_LENGTH = 1024;
const MAXIMUM_PARAMETERS = 200;

/**
 * Every declared parameter's value: given, or its default.
 * @throws AwsError ValidationException for a name not declared, a value missing, of another type or not of the enum.
 */
export function resolveParameters(
  declarations: readonly ParameterDeclaration[],
  given: readonly { readonly Name: string; readonly Value: string }[],
): Record<string, ParameterValue> {
  if (given.length > MAXIMUM_PARAMETERS)
    throw validation(`PipelineParameters has ${given.length} entries; at most ${MAXIMUM_PARAMETERS} are allowed`);
  const byName = new Map<string, string>();
  for (const { Name, Value } of given) {
    if (typeof Name !== 'string' || typeof Value !== 'string')
      throw validation('PipelineParameters: Name and Value must be strings');
    if (Value.length > MAXIMUM_LENGTH)
      throw validation(`parameter ${Name} has ${Value.length} characters; at most ${MAXIMUM_LENGTH} are allowed`);
    if (byName.has(Name)) throw validation(`parameter ${Name} is given twice`);
    byName.set(Name, Value);
  }
  const declared = new Set(declarations.map(({ Name }) => Name));
  const unknown = [...byName.keys()].filter((name) => !declared.has(name));
  if (unknown.length > 0) {
    throw validation(
      `the pipeline declares no parameter ${unknown.join(', ')}; it declares ${[...declared].join(', ') || 'none'}`,
    );
  }
  const values: Record<string, ParameterValue> = {};
  for (const declaration of declarations) {
    const text = byName.get(declaration.Name);
    const value = text === undefined ? declaration.DefaultValue : parse(declaration, text);
    if (value === undefined) throw validation(`parameter ${declaration.Name} has no default and was not given`);
    if (declaration.EnumValues && !declaration.EnumValues.includes(value)) {
      throw validation(`parameter ${declaration.Name} must be one of ${declaration.EnumValues.join(', ')}`);
    }
    values[declaration.Name] = value;
  }
  return values;
}

function parse({ Name, Type }: ParameterDeclaration, text: string): ParameterValue {
  if (Type === 'String') return text;
  if (Type === 'Boolean') {
    if (/^true$/i.test(text)) return true;
    if (/^false$/i.test(text)) return false;
    throw validation(`parameter ${Name} must be true or false`);
  }
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw validation(`parameter ${Name} must be a number`);
  if (Type === 'Integer' && !Number.isInteger(value)) throw validation(`parameter ${Name} must be a whole number`);
  return value;
}
