/** The registry table as the lake uses it: items by key, and writes under conditions, nothing more of DynamoDB. */

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export type Item = Key & Readonly<Record<string, unknown>>;

/** `path` is an attribute name or `map.member`. */
export type Test =
  | { readonly path: string; readonly equals: string | number | boolean }
  | { readonly path: string; readonly lessThan: number | string }
  | { readonly path: string; readonly absent: true };

/** Any of these, each all of its tests. An empty list always holds. */
export type Condition = readonly (readonly Test[])[];

export type Write =
  | { readonly put: Item; readonly condition?: Condition }
  | {
      readonly update: Key;
      readonly set?: Readonly<Record<string, unknown>>;
      readonly remove?: readonly string[];
      readonly condition?: Condition;
    }
  | { readonly delete: Key; readonly condition?: Condition };

/** A condition did not hold; nothing was written. */
export class ConditionFailedError extends Error {
  override readonly name = 'ConditionFailedError';
}

/**
 * DynamoDB takes at most 100 actions a transaction.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
 */
export const MAXIMUM_TRANSACTION_WRITES = 100;

export interface UnfoldedQuery {
  /** Value of the index's hash key: a use case, or {@link TASKS_HASH}. */
  readonly hash: string;
  /** Exclusive lower and upper limits of the index's range key (`<dt>T<hour>`). */
  readonly after?: string;
  readonly before?: string;
  readonly limit: number;
}

/**
 * Reads are strongly consistent but for `unfolded`. Every call may fail after it was applied; the callers re-read.
 * Adapters retry throttling and conflicts with transactions on the same item.
 */
export interface RegistryStore {
  get(key: Key): Promise<Item | undefined>;
  /** Missing items are left out; any number of keys. */
  getMany(keys: readonly Key[]): Promise<Item[]>;
  /** All items of a partition key whose sort key begins with `prefix`, in order. */
  query(pk: string, prefix?: string): Promise<Item[]>;
  /** UnfoldedIndex in ascending order; eventually consistent. */
  unfolded(query: UnfoldedQuery): Promise<Item[]>;
  /** @throws ConditionFailedError */
  write(write: Write): Promise<void>;
  /**
   * All or none, at most {@link MAXIMUM_TRANSACTION_WRITES}, one write an item.
   * @throws ConditionFailedError
   */
  transact(writes: readonly Write[]): Promise<void>;
}
