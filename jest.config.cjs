// Tests run as compiled by tsc (lib/**/*.test.js): what is tested is what is shipped, and no transform is needed.
module.exports = {
  testMatch: ['<rootDir>/packages/*/lib/**/*.test.js', '<rootDir>/tests/lib/**/*.test.js'],
  testPathIgnorePatterns: ['/node_modules/'],
  modulePathIgnorePatterns: ['<rootDir>/bench/'],
  transform: {},
  testTimeout: 30_000,
};
