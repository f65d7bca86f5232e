/** What must hold of an application whatever its workers went through. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Application, Item } from './harness';

/** The types that KCL gives to the attributes of a lease. */
const LEASE_TYPES: Readonly<Record<string, string>> = {
  leaseKey: 'S',
  entityType: 'S',
  leaseOwner: 'S',
  leaseCounter: 'N',
  ownerSwitchesSinceCheckpoint: 'N',
  checkpoint: 'S',
  checkpointSubSequenceNumber: 'N',
  parentShardId: 'SS',
  childShardIds: 'SS',
  startingHashKey: 'S',
  endingHashKey: 'S',
  throughputKBps: 'N',
  checkpointOwner: 'S',
};

/** Whichever worker wrote a lease last, it has KCL's attributes and types, and no other. */
export function checkLeases(leases: readonly Item[]): void {
  for (const lease of leases) {
    const types = Object.fromEntries(Object.entries(lease).map(([name, value]) => [name, Object.keys(value)[0]]));
    for (const [name, type] of Object.entries(types)) {
      assert.equal(type, LEASE_TYPES[name], `attribute ${name} of lease ${lease['leaseKey']?.S}`);
    }
    for (const name of ['leaseKey', 'leaseCounter', 'checkpoint', 'startingHashKey', 'endingHashKey']) {
      assert.ok(name in lease, `lease ${lease['leaseKey']?.S} has no ${name}`);
    }
  }
}

/** Every record was processed, and a key's records first in their order: no child before its parents. */
export function checkRecords(application: Application): void {
  const processed = application.processed;
  const written = new Set(application.written);
  assert.deepEqual(new Set(processed), written);
  const last = new Map<string, number>();
  for (const id of new Set(processed)) {
    const [key, number] = id.split(':') as [string, string];
    const previous = last.get(key) ?? -1;
    assert.ok(Number(number) > previous, `${id} was processed after ${key}:${previous}`);
    last.set(key, Number(number));
  }
}

/** Nothing was processed twice: right where every worker stopped in its time. */
export function checkNoneTwice(application: Application): void {
  const processed = application.processed;
  const twice = processed.filter((id, index) => processed.indexOf(id) !== index);
  assert.deepEqual(twice, []);
}

/**
 * A worker that cannot read a row, or meets one that it does not expect, says so. Java tells of every row that it cannot
 * deserialize; a conditional write that another worker came before is no misreading.
 */
export function checkLogs(application: Application): void {
  for (const { id, log } of application.workers) {
    const text = readFileSync(log, 'utf8');
    const misread = text
      .split('\n')
      .filter((line) =>
        /deserializ|unmarshal|NumberFormatException|NullPointerException|ClassCastException|IllegalArgumentException|ValidationException|UnknownOperation|SerializationException/i.test(
          line,
        ),
      );
    assert.deepEqual(misread, [], `${id} met what it cannot read; its log is ${log}`);
  }
}
