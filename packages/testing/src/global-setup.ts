/**
 * Global setup for runners that take a function, as Jest and Vitest do: starts the shared server. Jest's ends with jest;
 * Vitest calls what is returned.
 */
import { COVERAGE_VARIABLE } from './coverage-variable';
import { startSharedServer } from './shared-server';

/** @param config  the runner's; Jest's says whether coverage is collected, and its workers do not know it otherwise */
async function globalSetup(config?: {
  readonly collectCoverage?: boolean;
  readonly coverageProvider?: string;
}): Promise<() => Promise<void>> {
  // Jest's v8 provider reads no `__coverage__`: its reporter jest-v8-coverage.ts has set the variable, if it is there.
  if (config?.collectCoverage === true && config.coverageProvider !== 'v8')
    process.env[COVERAGE_VARIABLE] = '1';
  return await startSharedServer();
}

export = globalSetup;
