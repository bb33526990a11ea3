export default {
  globalSetup: '@perdure/testing/global-setup', // one server for all test files; it ends with jest
  testEnvironment: 'node',
  transform: {},
  maxWorkers: 2,
  testTimeout: 120_000,
};
