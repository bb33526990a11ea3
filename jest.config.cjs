// Tests run as compiled by tsc (lib/**/*.test.js): what is tested is what is shipped, and no transform is needed.
// Tests of packages need nothing around them; those of tests/ share one real server.
const common = {
  rootDir: __dirname,
  testPathIgnorePatterns: ['/node_modules/'],
  modulePathIgnorePatterns: ['<rootDir>/bench/'],
  transform: {},
};

module.exports = {
  // Ends what hangs. No test comes near it, also where the machine is many times slower than ours.
  testTimeout: 120_000,
  projects: [
    { ...common, displayName: 'packages', testMatch: ['<rootDir>/packages/*/lib/**/*.test.js'] },
    {
      ...common,
      displayName: 'tests',
      testMatch: ['<rootDir>/tests/lib/**/*.test.js'],
      globalSetup: '<rootDir>/tests/global-setup.cjs',
      globalTeardown: '<rootDir>/tests/global-teardown.cjs',
    },
  ],
};
