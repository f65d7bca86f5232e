export { Evaluation, compileStatement, compileTemplate, variablesOf } from './statement';
export type { RuleStatement, Template } from './statement';
export type { RuleMessage, SqlEnvironment } from './message';
export { SqlSyntaxError } from './tokenizer';
export { SqlFault } from './values';
