/** `npm run rebuild-leases`: what a lost table held, from what is left: leases from heads, heads from the bucket. */
import { ListShardsCommand, type KinesisClient } from '@aws-sdk/client-kinesis';
import { adapters } from '../consumer/kcl';
import { DynamoDbLeaseRefresher } from '../consumer/kcl/leases/dynamodb/dynamodb-lease-refresher';
import { parseHead, type Head } from '../consumer/lake/append/head';
import { HEAD_BUCKETS, HEADS_PK_PREFIX } from '../lib/contracts/registry';
import type { Lake } from '../operations/lake';
import { leasesFromHeads } from '../operations/rebuild-leases';
import { applyRegistry, planRegistry, type ListedShard } from '../operations/rebuild-registry';
import { parseCommand, runCommand, UserError } from './support/command-line';
import { LAKE_OPTIONS, LAKE_USAGE, openLake, showProgress, type LakeTarget } from './support/lake-target';
import { count, ProgressDisplay } from './support/terminal';

const USAGE = `Usage: npm run rebuild-leases -- [--apply]
When the registry table is lost: heads, ledger, segments and partitions from the objects in the bucket. When the lease
table is lost: leases at what the heads say is committed. Writes only rows that are missing, and without --apply none.
No consumer may run meanwhile: stop the local run, or set the service's desired count to 0.
  --apply            writes what it says
${LAKE_USAGE}`;

const REQUEST_TIMEOUT_MS = 10_000;

async function main(args: string[]): Promise<number> {
  const { values } = parseCommand(args, { apply: { type: 'boolean', default: false }, ...LAKE_OPTIONS }, USAGE);
  const display = new ProgressDisplay(values.json ? process.stderr : process.stdout, () => performance.now());
  const target = await openLake(values, display);
  try {
    if (target.isRunning) {
      throw new UserError('The local run is up, so its consumers would write to the tables meanwhile: stop it first.');
    }
    const shards = await listShards(target.kinesis, target.streamName);
    const registry = await rebuildRegistry(target, shards, display, values.apply);
    const leases = await rebuildLeases(target, shards, registry.heads, display, values.apply);
    if (!values.apply) display.say('Nothing was written: --apply does it.');
    const { heads, ...counts } = registry;
    if (values.json)
      console.log(JSON.stringify({ ok: true, applied: values.apply, heads: heads.length, ...counts, leases }));
    return 0;
  } finally {
    await target.close();
  }
}

async function rebuildRegistry(
  { lake }: LakeTarget,
  shards: readonly ListedShard[],
  display: ProgressDisplay,
  apply: boolean,
): Promise<{ heads: readonly Head[]; items: number; warnings: readonly string[] }> {
  const existing = await readHeads(lake);
  const plan = await planRegistry(lake, shards, showProgress(display));
  for (const warning of plan.warnings) display.say(`note: ${warning}`);
  // What is missing is missing as a whole: a table with heads holds all the rest too.
  if (plan.heads.length === 0) {
    display.say(`Registry: the heads of ${count(existing.length)} shards are there; nothing is missing.`);
    return { heads: existing, items: 0, warnings: plan.warnings };
  }
  const { heads, ranges, segments, partitions, items } = plan;
  display.say(
    `Registry: ${count(heads.length)} heads are missing; from the bucket come ${count(ranges)} ledger rows, ` +
      `${count(segments)} segments, ${count(partitions)} sealed partitions (${count(items.length)} items).`,
  );
  for (const { shardId, end, finished } of heads) display.say(`  ${shardId} at ${end}${finished ? ', finished' : ''}`);
  const written = apply ? await applyRegistry(lake, plan, showProgress(display)) : 0;
  if (apply) display.say(`Wrote ${count(written)} items.`);
  return { heads: [...existing, ...heads], items: written, warnings: plan.warnings };
}

async function rebuildLeases(
  { dynamodb, leaseTable }: LakeTarget,
  shards: readonly ListedShard[],
  heads: readonly Head[],
  display: ProgressDisplay,
  apply: boolean,
): Promise<number> {
  const refresher = new DynamoDbLeaseRefresher({
    dynamodb: adapters.dynamoFromSdk(dynamodb),
    clock: adapters.systemClock,
    log: () => undefined,
    tableName: leaseTable,
    requestTimeout: REQUEST_TIMEOUT_MS,
  });
  const existing = new Set((await refresher.listLeases()).map(({ leaseKey }) => leaseKey));
  const missing = leasesFromHeads(heads, shards).filter(({ leaseKey }) => !existing.has(leaseKey));
  display.say(`Leases: ${count(existing.size)} are there, ${count(missing.length)} are missing.`);
  let written = 0;
  for (const lease of missing) {
    const { sequenceNumber, subSequenceNumber } = lease.checkpoint;
    display.say(
      `  ${lease.leaseKey} at ${sequenceNumber}${subSequenceNumber > 0 ? `, sub-sequence ${subSequenceNumber}` : ''}`,
    );
    if (apply && (await refresher.createLeaseIfNotExists(lease))) written++;
  }
  if (apply) display.say(`Wrote ${count(written)} leases.`);
  return written;
}

async function readHeads(lake: Lake): Promise<Head[]> {
  const buckets = Array.from({ length: HEAD_BUCKETS }, (_, bucket) =>
    lake.registry.query(`${HEADS_PK_PREFIX}${bucket}`),
  );
  return (await Promise.all(buckets)).flat().map(parseHead);
}

async function listShards(kinesis: KinesisClient, StreamName: string): Promise<ListedShard[]> {
  const shards: ListedShard[] = [];
  let NextToken: string | undefined;
  do {
    const page = await kinesis.send(new ListShardsCommand(NextToken === undefined ? { StreamName } : { NextToken }));
    for (const { ShardId, HashKeyRange, ParentShardId, AdjacentParentShardId } of page.Shards ?? []) {
      shards.push({
        shardId: ShardId!,
        startingHashKey: HashKeyRange!.StartingHashKey!,
        endingHashKey: HashKeyRange!.EndingHashKey!,
        parentShardIds: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
      });
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return shards;
}

runCommand(main);
