import { collectionFunctions } from './collections';
import { contextFunctions } from './context';
import type { FunctionTable } from './function';
import { mathFunctions } from './math';
import { textFunctions } from './text';
import { timeFunctions } from './time';

/** Names in lower case: SQL's are case-insensitive. */
export const FUNCTIONS: FunctionTable = Object.assign(Object.create(null) as object, {
  ...mathFunctions,
  ...textFunctions,
  ...collectionFunctions,
  ...contextFunctions,
  ...timeFunctions,
});

/** Functions of AWS IoT SQL that need another service, or a digest that OpenSSL 3 has no more. */
export const FUNCTIONS_ON_AWS_ONLY: ReadonlySet<string> = new Set([
  'aws_lambda',
  'get_dynamodb',
  'get_registry_data',
  'get_secret',
  'get_thing_shadow',
  'machinelearning_predict',
  'md2',
]);
