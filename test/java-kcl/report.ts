/** The suite's report: one line for each scenario. */
import type { Deliveries } from './deliveries';
import type { Movements } from './table-watch';
import type { KclVersion } from './worker-process';

export interface Result {
  readonly name: string;
  readonly kcl: KclVersion;
  readonly seconds: number;
  readonly reshards: number;
  /** One for each application. */
  readonly deliveries: readonly Deliveries[];
  readonly movements: readonly Movements[];
  readonly failure: unknown;
}

export function printReport(results: readonly Result[]): void {
  const header = [
    'scenario',
    'KCL',
    'records',
    'twice',
    'moved J>N',
    '(handoff)',
    'moved N>J',
    '(handoff)',
    'reshards',
    'ended by J',
    'by N',
    'J>N child',
    'N>J child',
    'leaders',
    'looks',
    'seconds',
    '',
  ];
  const rows = results.map((result) => {
    const sum = <T>(all: readonly T[], value: (one: T) => number): string =>
      String(all.reduce((total, one) => total + value(one), 0));
    const { deliveries, movements } = result;
    return [
      result.name,
      result.kcl,
      sum(deliveries, ({ records }) => records),
      sum(deliveries, ({ duplicates }) => duplicates),
      sum(movements, ({ javaToNode }) => javaToNode),
      sum(movements, ({ handoffsJavaToNode }) => handoffsJavaToNode),
      sum(movements, ({ nodeToJava }) => nodeToJava),
      sum(movements, ({ handoffsNodeToJava }) => handoffsNodeToJava),
      String(result.reshards),
      sum(deliveries, ({ shardsEnded }) => shardsEnded.java),
      sum(deliveries, ({ shardsEnded }) => shardsEnded.node),
      sum(deliveries, ({ childrenOfJavaOnNode }) => childrenOfJavaOnNode),
      sum(deliveries, ({ childrenOfNodeOnJava }) => childrenOfNodeOnJava),
      movements.map(({ leaders }) => leaders.join(' ') || '-').join(' | '),
      sum(movements, ({ looks }) => looks),
      String(result.seconds),
      result.failure === undefined ? 'ok' : 'FAILED',
    ];
  });
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of [header, ...rows]) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
  const passed = results.filter(({ failure }) => failure === undefined).length;
  console.log(`${passed} of ${results.length} scenarios passed (J: Java, N: Node; leases of finished shards move too)`);
}
