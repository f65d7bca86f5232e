/** A use case's reading schema in the order and shape that the decoder and the columns use. */
import type { FieldSchema, UseCase } from '../../use-cases/define-use-case';

export interface ReadingField extends FieldSchema {
  readonly name: string;
}

export interface ReadingSchema {
  readonly useCase: string;
  /** In the order of the definition; the order of the columns everywhere. */
  readonly fields: readonly ReadingField[];
}

export function readingSchema(useCase: UseCase): ReadingSchema {
  return {
    useCase: useCase.name,
    fields: Object.entries(useCase.schema).map(([name, field]) => ({ name, ...field })),
  };
}
