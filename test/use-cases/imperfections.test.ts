import { useCases } from '../../use-cases';
import type { UseCase } from '../../use-cases/define-use-case';
import { publishes, type Publish } from '../../use-cases/imperfections';

const HOUR = 3_600_000;
const FROM = Date.parse('2026-11-20T12:00:00Z');

function send(useCase: UseCase, device: number, members: { batch?: number; to?: number } = {}): Publish[] {
  const { batch = useCase.simulator.batch, to = FROM + 12 * HOUR } = members;
  return [...publishes({ useCase, device, deviceName: `${useCase.name}-${device}`, seed: 1, from: FROM, to, batch })];
}

/** What a decoder takes and refuses, written down once more. */
function goodIds(useCase: UseCase, { payload }: Publish): { ids: string[]; bad: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload.toString('utf8'));
  } catch {
    return { ids: [], bad: 1 };
  }
  const elements = Array.isArray(parsed) ? parsed : [parsed];
  const ids: string[] = [];
  for (const element of elements as (Record<string, unknown> | string)[]) {
    if (typeof element !== 'object' || typeof element.timestamp !== 'number') continue;
    const valid = Object.entries(useCase.schema).every(([name, { minimum, maximum, required }]) => {
      const value = element[name];
      return value === undefined ? !required : typeof value === 'number' && value >= minimum && value <= maximum;
    });
    if (valid) ids.push(element.messageId as string);
  }
  return { ids, bad: elements.length - ids.length };
}

describe.each(useCases.map((useCase) => [useCase.name, useCase] as const))('publishes of %s', (_name, useCase) => {
  const { devices, intervalMs } = useCase.simulator;
  const sent = Array.from({ length: devices }, (_, device) => send(useCase, device));
  const all = sent.flat();

  it('say exactly what is in them', () => {
    const wrong = all.filter((publish) => {
      const { ids, bad } = goodIds(useCase, publish);
      const { messageIds, malformed, readings, payload } = publish;
      const counted = malformed === bad && readings === ids.length + bad && messageIds.join() === ids.join();
      return !counted || payload.length >= 128 * 1024;
    });
    expect(wrong).toEqual([]);
  });

  it('hold every reading, but for the few that were spoilt', () => {
    const distinct = new Set(all.flatMap(({ messageIds }) => messageIds));
    const simulated = (devices * 12 * HOUR) / intervalMs;
    const spoilt = simulated - distinct.size;
    expect(spoilt).toBeGreaterThanOrEqual(0);
    expect(spoilt).toBeLessThan(simulated * 0.001);
  });

  it('give the same readings in batches and alone', () => {
    const ids = (batch: number): string[] => [
      ...new Set(send(useCase, 0, { batch }).flatMap(({ messageIds }) => messageIds)),
    ];
    expect(ids(1).sort()).toEqual(ids(40).sort());
    expect(send(useCase, 0, { batch: 1 }).every(({ readings, payload }) => readings === 1 && payload[0] !== 0x5b)).toBe(
      true,
    );
  });

  it('go on live where the backlog ended', () => {
    const middle = FROM + 5 * HOUR + 1234;
    const parts = [
      ...publishes({ useCase, device: 0, deviceName: 'a', seed: 1, from: FROM, to: middle, batch: 40 }),
      ...publishes({ useCase, device: 0, deviceName: 'a', seed: 1, from: middle, to: FROM + 12 * HOUR, batch: 1 }),
    ];
    const whole = publishes({
      useCase,
      device: 0,
      deviceName: 'a',
      seed: 1,
      from: FROM,
      to: FROM + 12 * HOUR,
      batch: 40,
    });
    const ids = (list: Iterable<Publish>): string[] =>
      [...new Set([...list].flatMap(({ messageIds }) => messageIds))].sort();
    expect(ids(parts)).toEqual(ids(whole));
  });
});

describe('imperfections', () => {
  const all = useCases.flatMap((useCase) =>
    Array.from({ length: useCase.simulator.devices }, (_, device) => send(useCase, device, { batch: 1 })),
  );
  const flat = all.flat();
  const readings = flat.reduce((sum, publish) => sum + publish.readings, 0);

  it('come in the shares that are documented', () => {
    const malformed = flat.reduce((sum, publish) => sum + publish.malformed, 0);
    const ids = flat.flatMap(({ messageIds }) => messageIds);
    expect(malformed / readings).toBeGreaterThan(0.0003);
    expect(malformed / readings).toBeLessThan(0.0007);
    const duplicates = ids.length - new Set(ids).size;
    expect(duplicates / readings).toBeGreaterThan(0.004);
    expect(duplicates / readings).toBeLessThan(0.006);
  });

  it('send some readings minutes after newer ones', () => {
    let late = 0;
    let swapped = 0;
    for (const publish of all) {
      let newest = -Infinity;
      for (const { timestamp, messageIds } of publish) {
        if (messageIds.length > 0 && newest - timestamp >= 180_000) late += 1;
        else if (newest > timestamp) swapped += 1;
        newest = Math.max(newest, timestamp);
      }
    }
    expect(late / readings).toBeGreaterThan(0.003);
    expect(late / readings).toBeLessThan(0.007);
    expect(swapped / readings).toBeGreaterThan(0.003);
  });

  it('never end while the clock goes on', () => {
    const endless = publishes({
      useCase: useCases[0]!,
      device: 0,
      deviceName: 'a',
      seed: 1,
      from: FROM,
      to: Infinity,
      batch: 1,
    });
    for (let index = 0; index < 1000; index++) expect(endless.next().done).toBe(false);
  });
});
