import { useCases } from '../../use-cases';
import type { UseCase } from '../../use-cases/define-use-case';
import { UserError } from './command-line';

/** The use case that --use-case names. @throws UserError that lists the known ones. */
export function useCaseOption(name: string | undefined): UseCase {
  const known = `Known use cases: ${useCases.map((each) => each.name).join(', ')}.`;
  if (name === undefined) throw new UserError(`--use-case is missing. ${known}`);
  const useCase = useCases.find((each) => each.name === name);
  if (!useCase) throw new UserError(`--use-case "${name}" is unknown. ${known}`);
  return useCase;
}
