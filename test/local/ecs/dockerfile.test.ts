import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readImage, toHostPath, toProcess } from '../../../local/services/ecs/dockerfile';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'image-'));
  mkdirSync(join(directory, 'dist'));
  for (const file of ['main.js', 'dist/worker.js']) writeFileSync(join(directory, file), '');
});
afterEach(() => rmSync(directory, { recursive: true }));

function image(dockerfile: string) {
  writeFileSync(join(directory, 'Dockerfile'), dockerfile);
  return readImage(directory);
}

test('a consumer image becomes node over the files of its build context', () => {
  const consumer = image(`
# Only COPY.
FROM public.ecr.aws/docker/library/node:24-slim
WORKDIR /app
COPY . /app/
ENV NODE_ENV=production GREETING="hello \\
  world"
USER 1000:1000
ENTRYPOINT ["node", "/app/main.js"]
CMD ["consume"]
`);
  expect(consumer.environment).toEqual({ NODE_ENV: 'production', GREETING: 'hello world' });
  expect(toProcess(consumer, {})).toEqual({
    file: process.execPath,
    arguments: [join(directory, 'main.js'), 'consume'],
    workingDirectory: directory,
  });
  expect(toProcess(consumer, { command: ['health', '/etc/hosts'] }).arguments).toEqual([
    join(directory, 'main.js'),
    'health',
    '/etc/hosts',
  ]);
  expect(toProcess(consumer, { entryPoint: ['/usr/local/bin/node', 'dist/worker.js'] }).arguments).toEqual([
    'dist/worker.js',
  ]);
});

test('paths are found through the last COPY that holds them', () => {
  const { copies, ...rest } = image(
    'FROM scratch\nWORKDIR /srv\nCOPY dist lib/\nCOPY --chown=1:1 main.js ./\nCOPY ["dist/worker.js", "/opt/w.js"]\nCMD ["node", "main.js"]\n',
  );
  const built = { copies, ...rest };
  expect(toHostPath(built, '/srv/lib/worker.js')).toBe(join(directory, 'dist/worker.js'));
  expect(toHostPath(built, '/srv/main.js')).toBe(join(directory, 'main.js'));
  expect(toHostPath(built, '/opt/w.js')).toBe(join(directory, 'dist/worker.js'));
  expect(toHostPath(built, '/etc/passwd')).toBeUndefined();
  expect(toHostPath(built, '/srv/../etc')).toBeUndefined();
});

test.each<[string, string, RegExp]>([
  ['RUN', 'FROM a\nRUN npm ci\n', /Dockerfile, line 2: RUN needs an image to be built/],
  ['ADD', 'FROM a\n\n# x\nADD https://x /y\n', /line 4: ADD needs/],
  ['COPY --from', 'FROM a\nCOPY --from=0 /x /y\n', /line 2: COPY --from/],
  ['a shell form', 'FROM a\nCMD node main.js\n', /line 2: CMD in shell form/],
  ['a list that is none', 'FROM a\nCMD ["node", 1]\n', /line 2: CMD wants a JSON list/],
  ['COPY of nothing', 'FROM a\nCOPY x\n', /COPY wants a source/],
])('refuses %s', (_name, dockerfile, message) => {
  expect(() => image(dockerfile)).toThrow(message);
});

test('refuses what is no Node program, and an image without Dockerfile', () => {
  expect(() => toProcess(image('FROM a\nENTRYPOINT ["python3", "x.py"]\n'), {})).toThrow(
    /starts python3; the local run can start node only/,
  );
  expect(() => toProcess(image('FROM a\n'), {})).toThrow(/neither ENTRYPOINT nor CMD/);
  expect(() => readImage(join(directory, 'dist'))).toThrow(/has no Dockerfile/);
});
