/** Tests stand in test/, in the folder of what they test. `npm test` runs all but test/long. */
module.exports = {
  testEnvironment: 'node',
  // hyparquet, aedes and others publish ES modules only: swc turns them into CommonJS (transformIgnorePatterns).
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: [
    '/node_modules/(?!(hyparquet|hyparquet-writer|aedes|aedes-packet|aedes-persistence|mqemitter|fastparallel|hyperid|uuid-parse)/)',
  ],
  // Every core, since one process alone would run the suites one by one and keep what each has loaded: gigabytes.
  maxWorkers: '100%',
  workerIdleMemoryLimit: '1GB',
  reporters: ['default', '<rootDir>/scripts/closing-line.cjs'],
  // A guard against a test that hangs, not a measure of speed: machines are slow and shared.
  testTimeout: 120_000,
  setupFilesAfterEnv: ['aws-cdk-lib/testhelpers/jest-autoclean'],
};
