/** Apart from coverage.ts, so that a global setup loads no worker. */

/**
 * Set where tools do not set NODE_V8_COVERAGE: to `1` for `__coverage__` (global-setup.ts does so for Jest), else to the
 * folder that takes the counts (vitest-coverage.ts), or to RAW_PREFIX and a folder (jest-v8-coverage.ts).
 */
export const COVERAGE_VARIABLE = 'PERDURE_WORKFLOW_COVERAGE';

/** Before a folder whose reader wants V8's form. */
export const RAW_PREFIX = 'v8:';
