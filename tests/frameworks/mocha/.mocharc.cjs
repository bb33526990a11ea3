module.exports = {
  require: ['@perdure/testing/shared-server'], // one server for all test files
  spec: ['*.test.js'],
  parallel: true,
  jobs: 2,
  timeout: 120_000,
};
