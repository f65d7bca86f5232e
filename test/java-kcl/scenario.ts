/** What a scenario is given, and what several of them do. */
import assert from 'node:assert/strict';
import type { Application } from './application';
import type { TableWatch } from './table-watch';
import { kindOf, type Kind } from './worker-process';

export interface Stage {
  readonly application: Application;
  readonly watch: TableWatch;
  /** Another application on the same stream; its tables are watched and its workers stopped as the first one's are. */
  readonly second: (name: string) => Application;
  /** Progress, with the time since the beginning. */
  readonly say: (text: string) => void;
}

/** The tables and the fan-out consumer as infrastructure makes them, before any worker. */
export async function deployInfrastructure(application: Application): Promise<void> {
  await application.createLeaseTable();
  if (application.settings.retrieval === 'FAN_OUT') await application.registerConsumer();
}

type Owned = { readonly shardId: string; readonly owner: string | undefined };

/** Waits for owned open shards that `find` likes. */
async function untilOwned<T>(
  application: Application,
  what: string,
  find: (shards: readonly Required<Owned>[]) => T | undefined,
): Promise<T> {
  let found: T | undefined;
  await application.until(what, async () => {
    const shards = await application.openOwners();
    found = shards.every(({ owner }) => owner !== undefined) ? find(shards as Required<Owned>[]) : undefined;
    return found !== undefined;
  });
  assert.ok(found !== undefined);
  return found;
}

const kindOfOwner = ({ owner }: Owned): Kind => kindOf(owner ?? '');

/** Splits a shard of either kind's workers, then merges two neighbours of which each kind has one. */
export async function reshardAcross(application: Application): Promise<void> {
  const { stream } = application;
  for (const kind of ['java', 'node'] as const) {
    const shard = await untilOwned(application, `a ${kind} worker owns a shard to split`, (shards) =>
      shards.find((one) => kindOfOwner(one) === kind),
    );
    await stream.split(shard.shardId);
  }
  const [left, right] = await untilOwned(application, 'neighbours are owned by workers of both kinds', (shards) => {
    const index = shards.findIndex((one, at) => at > 0 && kindOfOwner(one) !== kindOfOwner(shards[at - 1] as Owned));
    return index < 0 ? undefined : ([shards[index - 1], shards[index]] as [Owned, Owned]);
  });
  await stream.merge(left.shardId, right.shardId);
}
