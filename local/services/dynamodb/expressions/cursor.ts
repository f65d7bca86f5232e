/** A place among an expression's tokens, and what all kinds of expressions share: paths and values. */
import { invalid } from '../attribute-value';
import type { AwsError } from '../../../gateway/service';
import type { Operand, Path } from './ast';
import type { Placeholders } from './placeholders';
import { isReservedWord } from './reserved-words';
import { syntaxError, tokenize } from './tokenizer';
import type { Token } from './tokenizer';

const MAXIMUM_DEPTH = 32;

export class Cursor {
  private readonly tokens: readonly Token[];
  private position = 0;

  /** `parameter` is the expression's name in the request, for messages. */
  constructor(
    readonly parameter: string,
    private readonly expression: string,
    private readonly placeholders: Placeholders,
  ) {
    this.tokens = tokenize(parameter, expression);
  }

  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.position + ahead, this.tokens.length - 1)] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.position++;
    return token;
  }

  /** Takes the symbol if it is next. */
  takeSymbol(symbol: string): boolean {
    const token = this.peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.position++;
    return true;
  }

  /** Takes the keyword, in any case, if it is next. */
  takeKeyword(keyword: string): boolean {
    if (!this.atKeyword(keyword)) return false;
    this.position++;
    return true;
  }

  atKeyword(keyword: string): boolean {
    const token = this.peek();
    return token.kind === 'name' && token.text.toUpperCase() === keyword;
  }

  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.unexpected();
  }

  expectKeyword(keyword: string): void {
    if (!this.takeKeyword(keyword)) throw this.unexpected();
  }

  expectEnd(): void {
    if (this.peek().kind !== 'end') throw this.unexpected();
  }

  /** The name of a function whose bracket follows. */
  functionName(): string | undefined {
    const token = this.peek();
    const following = this.peek(1);
    return token.kind === 'name' && following.kind === 'symbol' && following.text === '(' ? token.text : undefined;
  }

  unexpected(): AwsError {
    const token = this.peek();
    return syntaxError(this.parameter, this.expression, token.text, token.at);
  }

  refuse(message: string): AwsError {
    return invalid(`Invalid ${this.parameter}: ${message}`);
  }

  path(): Path {
    const path: [string, ...(string | number)[]] = [this.attributeName()];
    for (;;) {
      if (this.takeSymbol('.')) path.push(this.attributeName());
      else if (this.takeSymbol('[')) {
        const token = this.next();
        if (token.kind !== 'number') {
          this.position--;
          throw this.unexpected();
        }
        path.push(Number(token.text));
        this.expectSymbol(']');
      } else break;
    }
    if (path.length > MAXIMUM_DEPTH) {
      throw this.refuse(
        `The document path has too many nesting elements; nesting level of document path: ${path.length}`,
      );
    }
    return path;
  }

  /** A path or a value. */
  operand(): Operand {
    if (this.peek().kind !== ':value') return { kind: 'path', path: this.path() };
    return { kind: 'value', value: this.placeholders.value(this.parameter, this.next().text) };
  }

  private attributeName(): string {
    const token = this.peek();
    if (token.kind === '#name') {
      this.position++;
      return this.placeholders.name(this.parameter, token.text);
    }
    if (token.kind !== 'name') throw this.unexpected();
    if (isReservedWord(token.text)) {
      throw this.refuse(`Attribute name is a reserved keyword; reserved keyword: ${token.text}`);
    }
    this.position++;
    return token.text;
  }
}
