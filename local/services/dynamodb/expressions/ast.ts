/** What expressions parse to. The legacy parameters (Expected, AttributeUpdates, …) become the same. */
import type { AttributeValue } from '../attribute-value';

/** A document path: an attribute name, then map keys (strings) and list indexes (numbers). */
export type Path = readonly [string, ...(string | number)[]];

export type Operand =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly value: AttributeValue }
  | { readonly kind: 'size'; readonly of: Operand };

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly condition: Condition }
  | { readonly kind: 'compare'; readonly comparator: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'between'; readonly operand: Operand; readonly low: Operand; readonly high: Operand }
  | { readonly kind: 'in'; readonly operand: Operand; readonly candidates: readonly Operand[] }
  | { readonly kind: 'exists' | 'not-exists'; readonly path: Path }
  | { readonly kind: 'type' | 'begins-with' | 'contains'; readonly operand: Operand; readonly argument: Operand };

/** The right side of a SET action. */
export type SetValue =
  | Operand
  | { readonly kind: 'plus' | 'minus' | 'list-append'; readonly left: SetValue; readonly right: SetValue }
  | { readonly kind: 'if-not-exists'; readonly path: Path; readonly otherwise: SetValue };

export interface Update {
  readonly sets: readonly { readonly path: Path; readonly value: SetValue }[];
  readonly removes: readonly Path[];
  readonly adds: readonly { readonly path: Path; readonly value: AttributeValue }[];
  readonly deletes: readonly { readonly path: Path; readonly value: AttributeValue }[];
}

export function formatPath(path: Path): string {
  return `[${path.map((element) => (typeof element === 'number' ? `[${element}]` : element)).join(', ')}]`;
}

function operandPaths(operand: Operand): Path[] {
  return operand.kind === 'path' ? [operand.path] : operand.kind === 'size' ? operandPaths(operand.of) : [];
}

/** Every path that a condition names. */
export function conditionPaths(condition: Condition): Path[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return [...conditionPaths(condition.left), ...conditionPaths(condition.right)];
    case 'not':
      return conditionPaths(condition.condition);
    case 'exists':
    case 'not-exists':
      return [condition.path];
    case 'compare':
      return [condition.left, condition.right].flatMap(operandPaths);
    case 'between':
      return [condition.operand, condition.low, condition.high].flatMap(operandPaths);
    case 'in':
      return [condition.operand, ...condition.candidates].flatMap(operandPaths);
    default:
      return [condition.operand, condition.argument].flatMap(operandPaths);
  }
}
