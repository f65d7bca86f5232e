/** Command lines of the training steps' containers. */
import { parseArgs } from 'node:util';
import { useCases } from '../../use-cases';
import type { UseCase } from '../../use-cases/define-use-case';

/**
 * Values of the required options, by name.
 * @throws Error naming every option that is missing, or the one that is not known.
 */
export function requiredOptions<Name extends string>(args: string[], names: readonly Name[]): Record<Name, string> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args, options, strict: true });
  const missing = names.filter((name) => typeof values[name] !== 'string' || values[name] === '');
  if (missing.length > 0) throw new Error(`missing ${missing.map((name) => `--${name}`).join(', ')}`);
  return values as Record<Name, string>;
}

/** @throws Error that lists the names that exist. */
export function useCaseNamed(name: string, known: readonly UseCase[] = useCases): UseCase {
  const found = known.find((useCase) => useCase.name === name);
  if (found === undefined) {
    throw new Error(`--use-case ${name} is not one of ${known.map((useCase) => useCase.name).join(', ')}`);
  }
  return found;
}
