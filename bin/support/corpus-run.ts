/**
 * The production path over in-memory stores: de-aggregation, record processor, append, fold. Each item stands between two
 * good readings of another device, in one batch with both; at the end the good ones must be folded as if nothing else came.
 */
import { deaggregate } from '../../consumer/kcl/retrieval/kpl/deaggregate';
import type { Checkpointer, KinesisClientRecord } from '../../consumer/kcl/processor';
import { MemoryBudget } from '../../consumer/lake/memory-budget';
import { readSegment } from '../../consumer/lake/segment-file';
import { readingSchema } from '../../consumer/readings/schema';
import { TelemetryProcessor } from '../../consumer/telemetry-processor';
import type { QuarantineEntry } from '../../lib/contracts/documents';
import { MemoryObjects, MemoryRegistry } from '../../test/lake/support/memory-stores';
import { BothPaths } from '../../test/readings/support/both-paths';
import { enveloped, LIMITS, readingText, RECEIVED, USE_CASE, type CorpusItem } from './corpus-item';
import { checkNeighbours, neighbourReading } from './corpus-neighbours';

const FLUSH_INTERVAL_MS = 60_000;
/** At the end: longer than any partition waits for late readings. */
const QUIET_MS = 7_200_000;
const SHARD_ID = 'shardId-000000000000';
/** Half of the key space, so that a hash key can lie outside. */
const RANGE = { from: 0n, to: 2n ** 127n - 1n };

export interface CorpusReport {
  readonly items: number;
  /** Items that gave what they must give. */
  readonly right: number;
  readonly elements: number;
  readonly rows: number;
  readonly quarantined: number;
  /** Items on which the two paths agree. */
  readonly agreed: number;
  /** User records that the fast path took. */
  readonly takenByFastPath: number;
  readonly userRecords: number;
  readonly neighbours: number;
  /** Feature rows of the good neighbours, each equal to the batch computation's. */
  readonly windows: number;
  /** The batch of an item, from its records to its commit. */
  readonly slowest: { readonly name: string; readonly milliseconds: number };
  readonly failures: readonly string[];
}

interface Found {
  rows: number;
  readonly reasons: string[];
}

class Corpus {
  readonly registry = new MemoryRegistry();
  readonly objects: MemoryObjects;
  readonly failures: string[] = [];
  private readonly created: string[] = [];
  private time = RECEIVED;
  private sequence = 0;
  private readonly schemas = new Map([[USE_CASE.name, readingSchema(USE_CASE)]]);
  readonly paths = new BothPaths(this.schemas, LIMITS);
  private readonly processor: TelemetryProcessor;

  constructor() {
    this.objects = new MemoryObjects(new Map(), (operation, moment, key) => {
      if (operation === 'objects.create' && moment === 'after') this.created.push(key);
    });
    this.processor = new TelemetryProcessor({
      registry: this.registry,
      objects: this.objects,
      clock: this.clock,
      uuid: () => `id${this.sequence}`,
      log: (level, event) => {
        if (level === 'error') this.failures.push(`the consumer logged an error: ${event}`);
      },
      metrics: () => undefined,
      budget: new MemoryBudget(2 ** 30),
      codeVersion: 'corpus',
      flushBytes: 64 * 1024 * 1024,
      flushInterval: FLUSH_INTERVAL_MS,
      schemas: this.schemas,
      limits: LIMITS,
      initialPosition: 'TRIM_HORIZON',
      retention: () => undefined,
    });
  }

  get clock() {
    return { now: () => this.time, monotonic: () => this.time, sleep: async () => undefined };
  }

  async open(): Promise<void> {
    await this.processor.initialize({
      shard: { shardId: SHARD_ID, parentShardIds: [], startingHashKey: '0', endingHashKey: String(2n ** 128n - 1n) },
      checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
      fence: { leaseCounter: 1, remaining: () => 1 },
    });
  }

  /** The user records of a Kinesis record with this data, as the library hands them over. */
  userRecords(data: Uint8Array): KinesisClientRecord[] {
    const sequenceNumber = String(49_000_000_000_000_000_000n + BigInt(++this.sequence));
    return deaggregate({ sequenceNumber, partitionKey: 'corpus', data, approximateArrivalTimestamp: RECEIVED }, RANGE);
  }

  /** Reads these, or nothing for a long while, at the tip of the shard. */
  async process(records: readonly KinesisClientRecord[]): Promise<void> {
    const checkpointer: Checkpointer = {
      checkpoint: async () => undefined,
      prepareCheckpoint: async () => ({ commit: async () => undefined }),
    };
    const input = { millisBehindLatest: 0, serviceTime: this.time, atTip: true, checkpointer };
    await this.processor.processRecords({ ...input, records });
    // Commits what is buffered, or moves the idle shard's progress.
    this.time += records.length > 0 ? FLUSH_INTERVAL_MS : QUIET_MS;
    await this.processor.processRecords({ ...input, serviceTime: this.time, records: [] });
  }

  /** What the objects written since the last call hold, by sequence number. Quarantine objects are forgotten. */
  async collect(): Promise<Map<string, Found>> {
    const found = new Map<string, Found>();
    const of = (sequence: string): Found => {
      if (!found.has(sequence)) found.set(sequence, { rows: 0, reasons: [] });
      return found.get(sequence)!;
    };
    for (const key of this.created.splice(0)) {
      const { body } = this.objects.objects.get(key)!;
      if (key.startsWith('readings/')) {
        const file = body.slice().buffer as ArrayBuffer;
        for (const sequence of (await readSegment(file, this.schemas.get(USE_CASE.name)!)).sequence)
          of(sequence).rows++;
      } else if (key.startsWith('quarantine/')) {
        for (const line of lines(body)) {
          const { sequenceNumber, reason } = JSON.parse(line) as QuarantineEntry;
          of(sequenceNumber).reasons.push(reason);
        }
        this.objects.objects.delete(key);
      }
    }
    return found;
  }
}

/** NDJSON, one line at a time: a large object is not held a third time. */
function* lines(body: Uint8Array): Generator<string, void, undefined> {
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(0x0a, from);
    yield Buffer.from(body.buffer, body.byteOffset + from, end - from).toString('utf8');
    from = end + 1;
  }
}

/** What is wrong with what became of an item; undefined where nothing is. */
function fault({ elements, rows, reason }: CorpusItem, found: Found): string | undefined {
  const { reasons } = found;
  if (found.rows + reasons.length !== elements) {
    return `${found.rows} rows and ${reasons.length} quarantine entries for ${elements} elements`;
  }
  if (rows !== undefined && found.rows !== rows)
    return `${found.rows} rows, expected ${rows} (${reasons[0] ?? 'no reason'})`;
  const other = reason === undefined ? undefined : reasons.find((each) => each !== reason);
  return other === undefined ? undefined : `quarantined as ${other}, expected ${reason}`;
}

export interface CorpusOptions {
  /** Real milliseconds. */
  readonly now: () => number;
  readonly onItem: (done: number, name: string) => void;
}

/** Items that share a batch: together small, so that no large one stands in another's time or memory. */
const BATCH_ITEMS = 16;
const BATCH_BYTES = 64 * 1024;

interface Published {
  readonly item: CorpusItem;
  readonly records: readonly KinesisClientRecord[];
}

/** Runs every item. Its result is the same in every run but for `slowest`. */
export async function runCorpus(items: readonly CorpusItem[], { now, onItem }: CorpusOptions): Promise<CorpusReport> {
  const corpus = new Corpus();
  await corpus.open();
  const totals = { right: 0, elements: 0, rows: 0, quarantined: 0, agreed: 0, takenByFastPath: 0, userRecords: 0 };
  let slowest = { name: '', milliseconds: 0 };
  let neighbours = 0;
  const neighbour = (): KinesisClientRecord[] =>
    corpus.userRecords(enveloped(Buffer.from(readingText(neighbourReading(neighbours++))), 'neighbour'));

  const judge = ({ item, records }: Published, found: Map<string, Found>): void => {
    const sequence = records[0]?.sequenceNumber ?? '';
    const mine = found.get(sequence) ?? { rows: 0, reasons: [] };
    found.delete(sequence);
    const wrong = fault(item, mine);
    if (wrong === undefined) totals.right++;
    else corpus.failures.push(`${item.name}: ${wrong}`);
    totals.elements += item.elements;
    totals.rows += mine.rows;
    totals.quarantined += mine.reasons.length;
    const compared = records.map((record) => corpus.paths.compare(record));
    totals.userRecords += records.length;
    totals.takenByFastPath += compared.filter(({ fast }) => fast).length;
    if (compared.every(({ difference }) => difference === undefined)) totals.agreed++;
    else corpus.failures.push(`${item.name}: the fast path gives something else than the slow one`);
  };

  for (let at = 0; at < items.length;) {
    const batch: Published[] = [];
    const good = [...neighbour()];
    const all = [...good];
    for (let bytes = 0; at < items.length && batch.length < BATCH_ITEMS && bytes < BATCH_BYTES; at++) {
      const item = items[at]!;
      onItem(at, item.name);
      const data = item.data();
      // A large one begins a batch of its own.
      if (data.length >= BATCH_BYTES && batch.length > 0) break;
      bytes += data.length;
      const published = { item, records: corpus.userRecords(data) };
      const next = neighbour();
      batch.push(published);
      good.push(...next);
      all.push(...published.records, ...next);
    }
    const name = batch.at(-1)!.item.name;
    const started = now();
    await corpus.process(all);
    const milliseconds = Math.round(now() - started);
    if (milliseconds > slowest.milliseconds) slowest = { name, milliseconds };
    const found = await corpus.collect();
    for (const published of batch) judge(published, found);
    for (const { sequenceNumber } of good) {
      const { rows, reasons } = found.get(sequenceNumber) ?? { rows: 0, reasons: [] };
      found.delete(sequenceNumber);
      if (rows !== 1 || reasons.length > 0)
        corpus.failures.push(`a neighbour in the batch of "${name}" did not come through`);
    }
    if (found.size > 0) corpus.failures.push(`the batch of "${name}" gave rows or entries that nobody published`);
  }
  onItem(items.length, 'fold');
  await corpus.process([]);
  const checked = await checkNeighbours(corpus, neighbours, totals.rows);
  const failures = [...corpus.failures, ...checked.failures];
  return { items: items.length, ...totals, neighbours, windows: checked.windows, slowest, failures };
}
