import { SqlSyntaxError } from './tokenizer';
import type { Token } from './tokenizer';

/** Where a parser stands in its tokens; the last one is the end, and stays. */
export class TokenCursor {
  private at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  protected peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)]!;
  }

  protected next(): Token {
    const token = this.tokens[this.at]!;
    if (token.kind !== 'end') this.at++;
    return token;
  }

  protected isWord(word: string): boolean {
    const token = this.peek();
    return token.kind === 'name' && token.text.toLowerCase() === word;
  }

  protected isSymbol(symbol: string): boolean {
    const token = this.peek();
    return token.kind === 'symbol' && token.text === symbol;
  }

  protected takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.at++;
    return true;
  }

  protected take(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.at++;
    return true;
  }

  protected expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.unexpected(this.peek(), `${word.toUpperCase()} should stand here`);
  }

  protected expect(symbol: string): void {
    if (!this.take(symbol)) throw this.unexpected(this.peek(), `${symbol} should stand here`);
  }

  protected unexpected(token: Token, why: string): SqlSyntaxError {
    const what = token.kind === 'end' ? 'the end' : JSON.stringify(token.text);
    return new SqlSyntaxError(`${what} at character ${token.at + 1}: ${why}`, token.at);
  }
}
