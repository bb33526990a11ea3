module.exports = {
  globalSetup: '@perdure/testing/shared-server', // one server for all test files; it ends with jest
  testEnvironment: 'node',
  maxWorkers: 2,
  testTimeout: 30_000,
};
