/** Every alarm's runbook link leads to a heading of docs/runbook.md, and no alarm's heading is left over. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { environmentNames, resourcesOf, synthesize } from './support/synthesize';

const ALARM_HEADING = /^## ([a-z]+(?:-[a-z]+)+)$/gm;
const text = readFileSync(path.join(__dirname, '../../docs/runbook.md'), 'utf8');
const headings = [...text.matchAll(ALARM_HEADING)].map(([, heading]) => heading);

function linkedBy(environment: string): Set<string> {
  const linked = new Set<string>();
  for (const { Properties } of resourcesOf(synthesize(environment), 'AWS::CloudWatch::Alarm').values()) {
    const link = /docs\/runbook\.md#([a-z-]+)$/.exec(String(Properties.AlarmDescription));
    if (link?.[1] !== undefined) linked.add(link[1]);
  }
  return linked;
}

test.each([...environmentNames])('%s: alarms and headings of the runbook are the same', (environment) => {
  expect([...linkedBy(environment)].sort()).toEqual([...headings].sort());
});
