/**
 * Parses `[SET @v = expr, …] SELECT (* | VALUE expr | items) [FROM 'topic/filter'] [WHERE expr]`.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-reference.html
 */
import { topicFilterFault } from '../topics';
import type { BinaryOperator, Expression, Select, SelectItem, Statement } from './ast';
import { TokenCursor } from './token-cursor';
import { SqlSyntaxError, tokenize } from './tokenizer';
import type { Token } from './tokenizer';

/** Words that are no names of attributes. */
const RESERVED = new Set([
  'select',
  'from',
  'where',
  'and',
  'or',
  'not',
  'case',
  'when',
  'then',
  'else',
  'end',
  'as',
  'in',
  'exists',
]);

/** Loosest first; NOT binds tightest (IoT SQL reference, "Operators"). */
const PRECEDENCE: readonly (readonly BinaryOperator[])[] = [
  ['or'],
  ['and'],
  ['=', '<>', '<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
];

const DEEPEST = 200;

/** @throws SqlSyntaxError */
export function parseStatement(sql: string): Statement {
  return new Parser(tokenize(sql)).statement();
}

/** One expression, such as a substitution template's. @throws SqlSyntaxError */
export function parseExpression(text: string): Expression {
  const parser = new Parser(tokenize(text));
  const expression = parser.expression();
  parser.end();
  return expression;
}

class Parser extends TokenCursor {
  private depth = 0;

  statement(): Statement {
    const variables = this.takeWord('set') ? this.variables() : [];
    this.expectWord('select');
    const select = this.select();
    let topicFilter: string | undefined;
    if (this.takeWord('from')) {
      const token = this.next();
      if (token.kind !== 'string') throw this.unexpected(token, "FROM takes a topic filter in quotes, such as 'dt/+'");
      const fault = topicFilterFault(token.text);
      if (fault !== undefined) throw new SqlSyntaxError(`the topic filter '${token.text}' ${fault}`, token.at);
      topicFilter = token.text;
    }
    const where = this.takeWord('where') ? this.expression() : undefined;
    this.end();
    return {
      variables,
      select,
      ...(topicFilter !== undefined && { topicFilter }),
      ...(where !== undefined && { where }),
    };
  }

  end(): void {
    const token = this.peek();
    if (token.kind !== 'end') throw this.unexpected(token, 'the statement should end here');
  }

  expression(): Expression {
    if (++this.depth > DEEPEST) throw new SqlSyntaxError(`expressions nest deeper than ${DEEPEST}`, this.peek().at);
    const expression = this.binary(0);
    this.depth--;
    return expression;
  }

  private variables(): { name: string; expression: Expression }[] {
    const variables: { name: string; expression: Expression }[] = [];
    do {
      const token = this.next();
      if (token.kind !== 'variable') throw this.unexpected(token, 'SET takes variables such as @v');
      if (variables.some(({ name }) => name === token.text))
        throw new SqlSyntaxError(`@${token.text} is assigned twice`, token.at);
      this.expect('=');
      variables.push({ name: token.text, expression: this.expression() });
    } while (this.take(','));
    return variables;
  }

  private select(): Select {
    if (this.isWord('value') && !this.endsItem(this.peek(1))) {
      this.next();
      return { kind: 'value', expression: this.expression() };
    }
    const items: SelectItem[] = [this.item()];
    while (this.take(',')) items.push(this.item());
    return { kind: 'items', items };
  }

  /** Whether an attribute named `value` may end before this token. */
  private endsItem(token: Token): boolean {
    if (token.kind === 'name') return ['as', 'from', 'where', 'and', 'or'].includes(token.text.toLowerCase());
    return token.kind === 'end' || (token.kind === 'symbol' && !['(', '[', '{', '*', '-'].includes(token.text));
  }

  private item(): SelectItem {
    const token = this.peek();
    if (this.isSymbol('*') && ['from', ','].includes(this.peek(1).text.toLowerCase())) {
      this.next();
      return { kind: 'all' };
    }
    const expression = this.expression();
    if (this.takeWord('as')) return { kind: 'expression', expression, alias: this.alias() };
    if (expression.kind === 'payload') return { kind: 'all' };
    const name = attributeName(expression);
    if (name === undefined) {
      throw new SqlSyntaxError(
        'the selected expression has no name: write `… AS name` (AWS does not document the name it would get)',
        token.at,
      );
    }
    return { kind: 'expression', expression, alias: [name] };
  }

  private alias(): string[] {
    const path: string[] = [];
    do {
      const token = this.next();
      if (token.kind !== 'name') throw this.unexpected(token, 'AS takes a name');
      path.push(token.text);
    } while (this.take('.'));
    return path;
  }

  private binary(level: number): Expression {
    const operators = PRECEDENCE[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      const operator = operators.find((candidate) => candidate === token.text.toLowerCase());
      if (operator === undefined || token.kind === 'string') return left;
      this.next();
      left = { kind: 'binary', operator, left, right: this.binary(level + 1) };
    }
  }

  private unary(): Expression {
    let operator: 'not' | '-' | undefined;
    if (this.takeWord('not')) operator = 'not';
    else if (this.take('-')) operator = '-';
    if (operator === undefined) return this.postfix();
    if (++this.depth > DEEPEST) throw new SqlSyntaxError(`expressions nest deeper than ${DEEPEST}`, this.peek().at);
    const operand = this.unary();
    this.depth--;
    return { kind: 'unary', operator, operand };
  }

  private postfix(): Expression {
    let expression = this.primary();
    while (this.take('.')) {
      const token = this.next();
      if (token.kind !== 'name') throw this.unexpected(token, 'a member name should follow the dot');
      expression = { kind: 'member', of: expression, name: token.text };
    }
    return expression;
  }

  private primary(): Expression {
    const token = this.next();
    if (token.kind === 'string') return { kind: 'literal', value: token.text };
    if (token.kind === 'number') return { kind: 'literal', value: Number(token.text) };
    if (token.kind === 'variable') return { kind: 'variable', name: token.text };
    if (token.kind === 'name') return this.named(token);
    if (token.text === '*') return { kind: 'payload' };
    if (token.text === '[') return { kind: 'array', items: this.list(']') };
    if (token.text === '{') return { kind: 'object', entries: this.entries() };
    if (token.text !== '(') throw this.unexpected(token, 'an expression should stand here');
    const inner = this.takeWord('select') ? this.query() : this.expression();
    this.expect(')');
    return inner;
  }

  private named(token: Token): Expression {
    const word = token.text.toLowerCase();
    if (word === 'true' || word === 'false') return { kind: 'literal', value: word === 'true' };
    if (word === 'null') return { kind: 'literal', value: null };
    if (word === 'case') return this.caseExpression();
    if (word === 'cast' && this.isSymbol('(')) return this.cast(token.at);
    if (RESERVED.has(word)) throw this.unexpected(token, 'an expression should stand here');
    if (!this.take('(')) return { kind: 'name', name: token.text };
    return { kind: 'call', name: word, arguments: this.list(')'), at: token.at };
  }

  private query(): Expression {
    const select = this.select();
    this.expectWord('from');
    const from = this.postfix();
    const where = this.takeWord('where') ? this.expression() : undefined;
    return { kind: 'query', select, from, ...(where !== undefined && { where }) };
  }

  private caseExpression(): Expression {
    const value = this.expression();
    const branches: { when: Expression; then: Expression }[] = [];
    while (this.takeWord('when')) {
      const when = this.expression();
      this.expectWord('then');
      branches.push({ when, then: this.expression() });
    }
    if (branches.length === 0) throw this.unexpected(this.peek(), 'CASE needs a WHEN');
    const otherwise = this.takeWord('else') ? this.expression() : undefined;
    this.expectWord('end');
    return { kind: 'case', value, branches, ...(otherwise !== undefined && { otherwise }) };
  }

  private cast(at: number): Expression {
    this.expect('(');
    const operand = this.expression();
    this.expectWord('as');
    const type = this.next();
    if (type.kind !== 'name') throw this.unexpected(type, 'cast takes a type');
    this.expect(')');
    return { kind: 'cast', operand, type: type.text.toLowerCase(), at };
  }

  private list(close: string): Expression[] {
    const items: Expression[] = [];
    if (this.take(close)) return items;
    do {
      items.push(this.takeWord('select') ? this.query() : this.expression());
    } while (this.take(','));
    this.expect(close);
    return items;
  }

  private entries(): [string, Expression][] {
    const entries: [string, Expression][] = [];
    if (this.take('}')) return entries;
    do {
      const key = this.next();
      if (key.kind !== 'string') throw this.unexpected(key, 'keys of an object literal are strings');
      this.expect(':');
      entries.push([key.text, this.expression()]);
    } while (this.take(','));
    this.expect('}');
    return entries;
  }
}

/** What a selected attribute is called when no alias says otherwise: the last part of its path. */
function attributeName(expression: Expression): string | undefined {
  if (expression.kind === 'name') return expression.name;
  return expression.kind === 'member' && attributeName(expression.of) !== undefined ? expression.name : undefined;
}
