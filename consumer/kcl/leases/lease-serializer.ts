/**
 * The lease table's attribute names and types: those of KCL 3.5's single table, where rows are told apart by `entityType`.
 * The only file that knows them. Condition and update of every write follow KCL's DynamoDBLeaseSerializer in meaning.
 */
import type { AttributeValue, ExpressionInput, Item, UpdateItemInput } from '../dependencies';
import { isSentinel, type ExtendedSequenceNumber } from '../common/extended-sequence-number';
import { InvalidStateError } from '../common/errors';
import type { HashKeyRange } from '../common/hash-key-range';
import { actualOwner, type Lease } from './lease';

export const KEY_ATTRIBUTE = 'leaseKey';
export const OWNER_ATTRIBUTE = 'leaseOwner';
export const OWNER_INDEX = 'LeaseOwnerToLeaseKeyIndex';
export const ENTITY_TYPE = 'entityType';
const ENTITY_LEASE = 'LEASE';

/** What a holder changes of its row; `null` removes. */
export interface LeaseChange {
  readonly checkpoint?: ExtendedSequenceNumber;
  readonly pendingCheckpoint?: ExtendedSequenceNumber | null;
  readonly pendingCheckpointState?: Uint8Array | null;
}

/** What may be written without holding the lease. */
export interface LeaseMetaInfo {
  readonly childShardIds?: readonly string[];
  readonly hashKeyRange?: HashKeyRange;
}

export function leaseKey(key: string): Item {
  return { [KEY_ATTRIBUTE]: { S: key } };
}

/** False for rows of the same table that are no leases (worker metrics, coordinator state). Rows older than KCL 3.5 have no type. */
export function isLeaseItem(item: Item): boolean {
  return (item[ENTITY_TYPE]?.S ?? ENTITY_LEASE) === ENTITY_LEASE;
}

/** A lease of KCL's multi-stream mode, whose key is not the shard's id. */
export function isMultiStreamItem(item: Item): boolean {
  return isLeaseItem(item) && item['streamName'] !== undefined;
}

/** @throws InvalidStateError naming the row and the attribute */
export function leaseFromItem(item: Item): Lease {
  const key = item[KEY_ATTRIBUTE]?.S;
  if (key === undefined) throw new InvalidStateError('A row of the lease table has no leaseKey (S).');
  if (isMultiStreamItem(item)) {
    throw new InvalidStateError(
      `Lease ${key} was written in KCL's multi-stream mode; this worker reads one stream and would not see its checkpoint. Use another application name.`,
    );
  }
  const bad = (name: string, type: string): never => {
    throw new InvalidStateError(`Lease ${key}: attribute ${name} is missing or not of type ${type}.`);
  };
  const integer = (name: string): number => {
    const value = Number(item[name]?.N ?? NaN);
    return Number.isSafeInteger(value) ? value : bad(name, 'N (whole number)');
  };
  const position = (name: string, subName: string): ExtendedSequenceNumber | undefined => {
    const sequenceNumber = item[name]?.S;
    if (sequenceNumber === undefined) return undefined;
    if (!isSentinel(sequenceNumber) && !/^(0|[1-9]\d*)$/.test(sequenceNumber)) bad(name, 'S (digits or a sentinel)');
    return { sequenceNumber, subSequenceNumber: item[subName] === undefined ? 0 : integer(subName) };
  };
  const starting = item['startingHashKey']?.S;
  const ending = item['endingHashKey']?.S;
  const lease: Lease = {
    leaseKey: key,
    leaseOwner: item[OWNER_ATTRIBUTE]?.S,
    leaseCounter: integer('leaseCounter'),
    ownerSwitchesSinceCheckpoint: item['ownerSwitchesSinceCheckpoint'] ? integer('ownerSwitchesSinceCheckpoint') : 0,
    checkpoint: position('checkpoint', 'checkpointSubSequenceNumber') ?? bad('checkpoint', 'S'),
    pendingCheckpoint: position('pendingCheckpoint', 'pendingCheckpointSubSequenceNumber'),
    pendingCheckpointState: item['pendingCheckpointState']?.B,
    parentShardIds: item['parentShardId']?.SS ?? [],
    childShardIds: item['childShardIds']?.SS ?? [],
    hashKeyRange:
      starting !== undefined && ending !== undefined ? { startingHashKey: starting, endingHashKey: ending } : undefined,
    throughputKBps: item['throughputKBps']?.N === undefined ? undefined : Number(item['throughputKBps'].N),
    checkpointOwner: item['checkpointOwner']?.S,
  };
  return lease;
}

/** DynamoDB allows no empty set: such attributes are left out. */
function optional(name: string, value: AttributeValue | undefined): Item {
  return value === undefined || value.SS?.length === 0 ? {} : { [name]: value };
}

function text(value: string | undefined): AttributeValue | undefined {
  return value === undefined ? undefined : { S: value };
}

/** A new row, as it is put once; afterwards rows are only updated, so attributes of other programs survive. */
export function itemFromLease(lease: Lease): Item {
  return {
    ...leaseKey(lease.leaseKey),
    [ENTITY_TYPE]: { S: ENTITY_LEASE },
    ...optional(OWNER_ATTRIBUTE, text(lease.leaseOwner)),
    leaseCounter: { N: String(lease.leaseCounter) },
    ownerSwitchesSinceCheckpoint: { N: String(lease.ownerSwitchesSinceCheckpoint) },
    checkpoint: { S: lease.checkpoint.sequenceNumber },
    checkpointSubSequenceNumber: { N: String(lease.checkpoint.subSequenceNumber) },
    ...optional('parentShardId', { SS: lease.parentShardIds }),
    ...optional('childShardIds', { SS: lease.childShardIds }),
    ...optional('startingHashKey', text(lease.hashKeyRange?.startingHashKey)),
    ...optional('endingHashKey', text(lease.hashKeyRange?.endingHashKey)),
  };
}

export function createCondition(): Pick<ExpressionInput, 'ConditionExpression' | 'ExpressionAttributeNames'> {
  return { ConditionExpression: 'attribute_not_exists(#k)', ExpressionAttributeNames: { '#k': KEY_ATTRIBUTE } };
}

type Update = Omit<UpdateItemInput, 'TableName' | 'ReturnValues'>;

/** Builds one UpdateItem; attribute names become placeholders, since some could be reserved words. */
class UpdateBuilder {
  private readonly names: Record<string, string> = {};
  private readonly values: Record<string, AttributeValue> = {};
  private readonly sets: string[] = [];
  private readonly removes: string[] = [];
  private readonly conditions: string[] = [];

  constructor(private readonly key: string) {}

  private name(attribute: string): string {
    this.names[`#${attribute}`] = attribute;
    return `#${attribute}`;
  }

  private value(value: AttributeValue): string {
    const placeholder = `:v${Object.keys(this.values).length}`;
    this.values[placeholder] = value;
    return placeholder;
  }

  set(attribute: string, value: AttributeValue): this {
    this.sets.push(`${this.name(attribute)} = ${this.value(value)}`);
    return this;
  }

  increment(attribute: string): this {
    const zero = this.value({ N: '0' });
    this.sets.push(
      `${this.name(attribute)} = if_not_exists(${this.name(attribute)}, ${zero}) + ${this.value({ N: '1' })}`,
    );
    return this;
  }

  remove(...attributes: string[]): this {
    for (const attribute of attributes) this.removes.push(this.name(attribute));
    return this;
  }

  /** Undefined: the attribute must be absent. */
  expect(attribute: string, value: AttributeValue | undefined): this {
    const name = this.name(attribute);
    this.conditions.push(value === undefined ? `attribute_not_exists(${name})` : `${name} = ${this.value(value)}`);
    return this;
  }

  expectRow(): this {
    this.conditions.push(`attribute_exists(${this.name(KEY_ATTRIBUTE)})`);
    return this;
  }

  build(): Update {
    const parts = [];
    if (this.sets.length > 0) parts.push(`SET ${this.sets.join(', ')}`);
    if (this.removes.length > 0) parts.push(`REMOVE ${this.removes.join(', ')}`);
    return {
      Key: leaseKey(this.key),
      UpdateExpression: parts.join(' '),
      ConditionExpression: this.conditions.join(' AND '),
      ExpressionAttributeNames: this.names,
      ...(Object.keys(this.values).length > 0 ? { ExpressionAttributeValues: this.values } : {}),
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    };
  }
}

const counter = (value: number): AttributeValue => ({ N: String(value) });

/** Six decimals, half up, as KCL writes it. */
function throughput(value: number): AttributeValue {
  return { N: (Math.round(value * 1e6) / 1e6).toFixed(6) };
}

/** Heartbeat. A handoff that this worker does not know of makes it fail, which is how the old owner learns of it. */
export function renewUpdate(lease: Lease): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .set('leaseCounter', counter(lease.leaseCounter + 1))
    .expect('leaseCounter', counter(lease.leaseCounter))
    .expect('checkpointOwner', text(lease.checkpointOwner));
  if (lease.throughputKBps !== undefined) update.set('throughputKBps', throughput(lease.throughputKBps));
  return update.build();
}

/** Take or steal of the 2.x algorithm: on the counter alone, so that any sign of life of the owner defeats it. */
export function takeUpdate(lease: Lease, owner: string): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .set('leaseCounter', counter(lease.leaseCounter + 1))
    .set(OWNER_ATTRIBUTE, { S: owner })
    .remove('checkpointOwner')
    .expect('leaseCounter', counter(lease.leaseCounter));
  if (lease.leaseOwner !== owner) {
    update.set('ownerSwitchesSinceCheckpoint', counter(lease.ownerSwitchesSinceCheckpoint + 1));
  }
  return update.build();
}

/**
 * The leader's word: `owner` has the lease from now on, and a handoff that was on is over. On the owners seen; where the lease
 * was judged by its counter (`idle`), on that too, so that an owner who renews at the last moment keeps it. KCL asks for the owners alone.
 */
export function assignUpdate(lease: Lease, owner: string, idle: boolean): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .set(OWNER_ATTRIBUTE, { S: owner })
    .increment('leaseCounter')
    .increment('ownerSwitchesSinceCheckpoint')
    .remove('checkpointOwner')
    .expectRow()
    .expect(OWNER_ATTRIBUTE, text(lease.leaseOwner))
    .expect('checkpointOwner', text(lease.checkpointOwner));
  if (idle) update.expect('leaseCounter', counter(lease.leaseCounter));
  return update.build();
}

/**
 * Begins a graceful handoff, or turns one that is on to another worker; back to the old owner ends it. The counter stays: it goes on
 * being the old owner's heartbeat.
 */
export function handoffUpdate(lease: Lease, owner: string): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .set(OWNER_ATTRIBUTE, { S: owner })
    .expectRow()
    .expect(OWNER_ATTRIBUTE, text(lease.leaseOwner))
    .expect('checkpointOwner', text(lease.checkpointOwner));
  const from = actualOwner(lease);
  if (from === owner) update.remove('checkpointOwner');
  else if (from !== undefined) update.set('checkpointOwner', { S: from });
  return update.build();
}

/** Lets a lease go. During a handoff the new owner stays in `leaseOwner`: this is how the old one finishes it. */
export function evictUpdate(lease: Lease): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .increment('leaseCounter')
    .expectRow()
    .expect(OWNER_ATTRIBUTE, text(lease.leaseOwner))
    .expect('checkpointOwner', text(lease.checkpointOwner));
  if (lease.checkpointOwner === undefined) return update.remove(OWNER_ATTRIBUTE).build();
  return update.increment('ownerSwitchesSinceCheckpoint').remove('checkpointOwner').build();
}

/** Checkpoint, prepared checkpoint: by the holder, on the counter it wrote last. */
export function changeUpdate(lease: Lease, change: LeaseChange): Update {
  const update = new UpdateBuilder(lease.leaseKey)
    .set('leaseCounter', counter(lease.leaseCounter + 1))
    .expect('leaseCounter', counter(lease.leaseCounter));
  const { checkpoint, pendingCheckpoint, pendingCheckpointState } = change;
  if (checkpoint) {
    update
      .set('checkpoint', { S: checkpoint.sequenceNumber })
      .set('checkpointSubSequenceNumber', counter(checkpoint.subSequenceNumber))
      .set('ownerSwitchesSinceCheckpoint', counter(0));
  }
  if (pendingCheckpoint) {
    update
      .set('pendingCheckpoint', { S: pendingCheckpoint.sequenceNumber })
      .set('pendingCheckpointSubSequenceNumber', counter(pendingCheckpoint.subSequenceNumber));
  } else if (pendingCheckpoint === null) {
    update.remove('pendingCheckpoint', 'pendingCheckpointSubSequenceNumber');
  }
  if (pendingCheckpointState) update.set('pendingCheckpointState', { B: pendingCheckpointState });
  else if (pendingCheckpointState === null) update.remove('pendingCheckpointState');
  return update.build();
}

/** Children and hash keys; the counter stays, so the holder is not disturbed. */
export function metaInfoUpdate(key: string, info: LeaseMetaInfo): Update {
  const update = new UpdateBuilder(key).expectRow();
  if (info.childShardIds && info.childShardIds.length > 0) update.set('childShardIds', { SS: info.childShardIds });
  if (info.hashKeyRange) {
    update
      .set('startingHashKey', { S: info.hashKeyRange.startingHashKey })
      .set('endingHashKey', { S: info.hashKeyRange.endingHashKey });
  }
  return update.build();
}
