/** Apart from coverage.ts, so that a global setup loads no worker. */

/** Set where tools do not set NODE_V8_COVERAGE; global-setup.ts does so for Jest. */
export const COVERAGE_VARIABLE = 'PERDURE_WORKFLOW_COVERAGE';
