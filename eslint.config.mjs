import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** One row per folder: what its files may not import. The arrows run one way (docs/architecture.md, "Folders"). */
const directions = [
  { folder: 'lib', mayNotImport: ['bin', 'consumer', 'lambda', 'local'] },
  { folder: 'lib/contracts', mayNotImport: ['bin', 'consumer', 'lambda', 'local', 'use-cases', 'lib/!(contracts)'] },
  { folder: 'use-cases', mayNotImport: ['bin', 'consumer', 'lambda', 'local', 'lib/!(contracts)'] },
  { folder: 'consumer', mayNotImport: ['bin', 'lambda', 'local', 'lib/!(contracts)'] },
  { folder: 'consumer/kcl', mayNotImport: ['bin', 'lambda', 'local', 'lib', 'use-cases', 'consumer/!(kcl)'] },
  { folder: 'lambda', mayNotImport: ['bin', 'consumer', 'local', 'use-cases', 'lib/!(contracts)'] },
  { folder: 'local', mayNotImport: ['bin', 'consumer', 'lambda', 'lib', 'use-cases'] },
  { folder: 'operations', mayNotImport: ['bin', 'lambda', 'local', 'simulation', 'lib/!(contracts)'] },
  { folder: 'simulation', mayNotImport: ['bin', 'lib/!(contracts)', 'local/!(services|gateway)'] },
];

export default tseslint.config(
  { ignores: ['node_modules/', 'cdk.out/', 'build/', '.local/', 'coverage/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'no-console': 'off',
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
  { files: ['*.config.js', '**/*.cjs'], languageOptions: { globals: { module: 'writable', process: 'readonly' } } },
  {
    plugins: { project: { rules: { directions: (await import('./scripts/lint-directions.mjs')).default } } },
    rules: { 'project/directions': ['error', directions] },
  },
  {
    // What the deterministic simulator runs takes time, timers and randomness from its dependencies.
    files: [
      'consumer/kcl/**',
      'consumer/readings/**',
      'consumer/lake/**',
      'consumer/features/**',
      'consumer/consumer.ts',
      'consumer/telemetry-processor.ts',
      'lambda/partition-trigger/**',
      'use-cases/**',
      'simulation/**',
    ],
    ignores: [
      'consumer/kcl/adapters/**',
      'consumer/kcl/workers/**',
      'consumer/lake/fold-worker*.ts',
      'lambda/partition-trigger/index.ts',
    ],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take the time from the injected clock.' },
        { object: 'Math', property: 'random', message: 'Take randomness from the injected source.' },
        { object: 'performance', property: 'now', message: 'Take the time from the injected clock.' },
        { object: 'crypto', property: 'randomUUID', message: 'Take ids from the injected source.' },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: 'Sleep on the injected clock.' },
        { name: 'setInterval', message: 'Sleep on the injected clock.' },
        { name: 'setImmediate', message: 'Sleep on the injected clock.' },
        { name: 'performance', message: 'Take the time from the injected clock.' },
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'node:crypto',
              importNames: ['randomUUID', 'randomBytes', 'randomInt'],
              message: 'Take randomness from the injected source.',
            },
            { name: 'node:timers/promises', message: 'Sleep on the injected clock.' },
            { name: 'node:timers', message: 'Sleep on the injected clock.' },
            { name: 'node:perf_hooks', message: 'Take the time from the injected clock.' },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'Take the time from the injected clock.',
        },
        { selector: "CallExpression[callee.name='Date']", message: 'Take the time from the injected clock.' },
      ],
    },
  },
);
