/** Sorting, filtering and paging as SageMaker's List operations share them. */
import { type Input, optionalNumber, optionalText, optionalTime, validation } from './input';

export interface Listed {
  readonly name: string;
  readonly creationTime: number;
}

/**
 * One page of the rows that the request's NameContains, CreationTimeAfter and CreationTimeBefore let through.
 * SortBy is CreationTime or Name; SortOrder defaults to Descending. MaxResults 1–100, default 10.
 */
export function listPage<Row>(
  rows: readonly Row[],
  input: Input,
  describe: (row: Row) => Listed,
  defaults: { sortBy: 'CreationTime' | 'Name'; sortOrder: 'Ascending' | 'Descending' } = {
    sortBy: 'CreationTime',
    sortOrder: 'Descending',
  },
): { page: Row[]; NextToken?: string } {
  const contains = optionalText(input, 'NameContains')?.toLowerCase();
  const after = optionalTime(input, 'CreationTimeAfter') ?? optionalTime(input, 'CreatedAfter');
  const before = optionalTime(input, 'CreationTimeBefore') ?? optionalTime(input, 'CreatedBefore');
  const sortBy = optionalText(input, 'SortBy') ?? defaults.sortBy;
  const order = optionalText(input, 'SortOrder', { oneOf: ['Ascending', 'Descending'] }) ?? defaults.sortOrder;
  const kept = rows
    .map((row, index) => ({ row, index, ...describe(row) }))
    .filter(({ name }) => contains === undefined || name.toLowerCase().includes(contains))
    .filter(
      ({ creationTime }) =>
        (after === undefined || creationTime >= after) && (before === undefined || creationTime <= before),
    );
  const byName = sortBy.endsWith('Name') || sortBy.endsWith('Arn');
  kept.sort((a, b) => {
    const ascending = byName ? a.name.localeCompare(b.name) : a.creationTime - b.creationTime;
    return (order === 'Ascending' ? 1 : -1) * (ascending || a.index - b.index);
  });
  return pageOf(
    kept.map(({ row }) => row),
    input,
  );
}

/** One page in the given order. */
export function pageOf<Row>(rows: readonly Row[], input: Input): { page: Row[]; NextToken?: string } {
  const size = optionalNumber(input, 'MaxResults', 1, 100) ?? 10;
  const start = readToken(optionalText(input, 'NextToken'));
  const page = rows.slice(start, start + size);
  return start + size < rows.length ? { page, NextToken: writeToken(start + size) } : { page };
}

function writeToken(position: number): string {
  return Buffer.from(String(position)).toString('base64url');
}

function readToken(token: string | undefined): number {
  if (token === undefined) return 0;
  const position = Number(Buffer.from(token, 'base64url').toString());
  if (!Number.isSafeInteger(position) || position < 0)
    throw validation('NextToken is not one that this operation gave');
  return position;
}
