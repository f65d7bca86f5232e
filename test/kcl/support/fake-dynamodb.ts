/** One DynamoDB table in memory, with the conditions, updates and errors that the lease table's expressions use. */
import type { AttributeValue, Item, TableDescription, UpdateItemInput } from '../../../consumer/kcl/dependencies';

type Row = Record<string, AttributeValue>;
type Context = Pick<UpdateItemInput, 'ExpressionAttributeNames' | 'ExpressionAttributeValues'>;

export function serviceError(name: string, members: object = {}): Error {
  return Object.assign(new Error(`${name} by the fake`), members, { name });
}

const equal = (a: AttributeValue | undefined, b: AttributeValue | undefined): boolean =>
  a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b);

export interface Write {
  readonly operation: 'put' | 'update' | 'delete';
  readonly caller: string;
  readonly key: string;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
}

/** Rows are replaced, never edited, so they can be handed out as they are. */
export class FakeTable {
  readonly rows = new Map<string, Row>();
  /** Called after every applied write. */
  onWrite: (write: Write) => void = () => undefined;
  /** Rows in one page of a scan. */
  pageSize = 1_000;

  description: TableDescription = {
    status: 'ACTIVE',
    keySchema: [{ name: 'leaseKey', keyType: 'HASH', attributeType: 'S' }],
    indexes: [
      {
        name: 'LeaseOwnerToLeaseKeyIndex',
        status: 'ACTIVE',
        keySchema: [
          { name: 'leaseOwner', keyType: 'HASH' },
          { name: 'leaseKey', keyType: 'RANGE' },
        ],
      },
    ],
  };

  /** Tables of KCL 3.0 to 3.4, by name. */
  readonly legacy = new Map<string, FakeTable>();

  constructor(private readonly keyAttribute = 'leaseKey') {}

  /** This table, or one of the legacy ones. */
  named(name: string): FakeTable {
    if (!/-(WorkerMetricStats|CoordinatorState)$/.test(name)) return this;
    const table = this.legacy.get(name);
    if (!table) throw serviceError('ResourceNotFoundException');
    return table;
  }

  get(key: Item): Item | undefined {
    return this.rows.get(this.key(key));
  }

  put(item: Item, context: Context & { ConditionExpression?: string }, caller: string): void {
    this.mutate('put', this.key(item), context, caller, () => item);
  }

  update(input: UpdateItemInput, caller: string): Item {
    return this.mutate('update', this.key(input.Key), input, caller, (before) => {
      const row: Row = { ...(before ?? input.Key) };
      const source = before ?? {};
      for (const clause of input.UpdateExpression.split(/\s+(?=REMOVE\b)/)) {
        if (clause.startsWith('SET ')) {
          // Commas inside if_not_exists(…) do not separate.
          for (const part of clause.slice(4).split(/,\s*(?![^(]*\))/)) {
            const [target, expression] = part.split(/\s*=\s*/, 2) as [string, string];
            row[this.name(target, input)] = this.evaluate(expression, source, input);
          }
        } else if (clause.startsWith('REMOVE ')) {
          for (const target of clause.slice(7).split(/,\s*/)) delete row[this.name(target, input)];
        } else throw new Error(`the fake does not know the update "${clause}"`);
      }
      return row;
    }) as Item;
  }

  delete(key: Item, caller: string): void {
    this.mutate('delete', this.key(key), {}, caller, () => undefined);
  }

  scan(start: Item | undefined, segment = 0, segments = 1): { Items: Item[]; LastEvaluatedKey?: Item } {
    const hash = (key: string): number =>
      [...key].reduce((sum, character) => (31 * sum + character.charCodeAt(0)) >>> 0, 7);
    const keys = [...this.rows.keys()].filter((key) => segments === 1 || hash(key) % segments === segment).sort();
    const from = start ? keys.findIndex((key) => key > this.key(start)) : 0;
    const page = from < 0 ? [] : keys.slice(from, from + this.pageSize);
    const last = page.at(-1);
    const more = last !== undefined && last !== keys.at(-1);
    return {
      Items: page.map((key) => this.rows.get(key)!),
      ...(more ? { LastEvaluatedKey: { [this.keyAttribute]: { S: last } } } : {}),
    };
  }

  /** Of the owner index. */
  query(owner: string): Item[] {
    const rows = [...this.rows.values()].filter((row) => row['leaseOwner']?.S === owner);
    return rows.map((row) => ({ leaseKey: row['leaseKey']!, leaseOwner: row['leaseOwner']! }));
  }

  private mutate(
    operation: Write['operation'],
    key: string,
    context: Context & { readonly ConditionExpression?: string },
    caller: string,
    change: (before: Row | undefined) => Row | undefined,
  ): Item | undefined {
    const before = this.rows.get(key);
    if (context.ConditionExpression !== undefined && !this.holds(context.ConditionExpression, before, context)) {
      throw serviceError('ConditionalCheckFailedException', before ? { Item: before } : {});
    }
    const after = change(before);
    for (const [name, value] of Object.entries(after ?? {})) {
      if (value.S === '' || value.SS?.length === 0 || Object.keys(value).length !== 1) {
        throw serviceError('ValidationException', { attribute: name });
      }
    }
    if (after) this.rows.set(key, after);
    else this.rows.delete(key);
    this.onWrite({ operation, caller, key, before, after });
    return after;
  }

  private holds(condition: string, row: Row | undefined, context: Context): boolean {
    return condition.split(' AND ').every((term) => {
      const call = /^(attribute_exists|attribute_not_exists)\((#\w+)\)$/.exec(term);
      if (call) return (row?.[this.name(call[2]!, context)] !== undefined) === (call[1] === 'attribute_exists');
      const equality = /^(#\w+) = (:\w+)$/.exec(term);
      if (!equality) throw new Error(`the fake does not know the condition "${term}"`);
      return equal(row?.[this.name(equality[1]!, context)], this.value(equality[2]!, context));
    });
  }

  private evaluate(expression: string, row: Row, context: Context): AttributeValue {
    const sum = /^(.+) \+ (:\w+)$/.exec(expression);
    if (sum) {
      const left = Number(this.evaluate(sum[1]!, row, context).N);
      return { N: String(left + Number(this.value(sum[2]!, context).N)) };
    }
    const fallback = /^if_not_exists\((#\w+),\s*(:\w+)\)$/.exec(expression);
    if (fallback) return row[this.name(fallback[1]!, context)] ?? this.value(fallback[2]!, context);
    return this.value(expression, context);
  }

  private name(placeholder: string, context: Context): string {
    const name = context.ExpressionAttributeNames?.[placeholder];
    if (name === undefined) throw serviceError('ValidationException', { placeholder });
    return name;
  }

  private value(placeholder: string, context: Context): AttributeValue {
    const value = context.ExpressionAttributeValues?.[placeholder];
    if (value === undefined) throw serviceError('ValidationException', { placeholder });
    return value;
  }

  private key(item: Item): string {
    const key = item[this.keyAttribute]?.S;
    if (key === undefined || key === '') throw serviceError('ValidationException');
    return key;
  }
}
