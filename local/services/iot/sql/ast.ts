/** A parsed statement. */
import type { SqlValue } from './values';

export type Expression =
  | { readonly kind: 'literal'; readonly value: SqlValue }
  | { readonly kind: 'array'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly entries: readonly (readonly [string, Expression])[] }
  /** A member of the payload, or of the element that a nested query looks at. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'variable'; readonly name: string }
  /** `*` */
  | { readonly kind: 'payload' }
  | { readonly kind: 'member'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: 'not' | '-'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[]; readonly at: number }
  | { readonly kind: 'cast'; readonly operand: Expression; readonly type: string; readonly at: number }
  | {
      readonly kind: 'case';
      readonly value: Expression;
      readonly branches: readonly { readonly when: Expression; readonly then: Expression }[];
      readonly otherwise?: Expression;
    }
  | { readonly kind: 'query'; readonly select: Select; readonly from: Expression; readonly where?: Expression };

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '=' | '<>' | '<' | '<=' | '>' | '>=' | 'and' | 'or';

export type Select =
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'items'; readonly items: readonly SelectItem[] };

export type SelectItem =
  | { readonly kind: 'all' }
  /** `alias` is a path: `foo.bar` makes nested objects. */
  | { readonly kind: 'expression'; readonly expression: Expression; readonly alias: readonly string[] };

export interface Statement {
  readonly variables: readonly { readonly name: string; readonly expression: Expression }[];
  readonly select: Select;
  /** Undefined: for Basic Ingest only. */
  readonly topicFilter?: string;
  readonly where?: Expression;
}
