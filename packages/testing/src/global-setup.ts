/**
 * Global setup for runners that take a function, as Jest and Vitest do: starts the shared server. Jest's ends with jest;
 * Vitest calls what is returned.
 */
import { startSharedServer } from './shared-server';

/** Takes whatever a runner hands to it, and needs none of it. */
async function globalSetup(): Promise<() => Promise<void>> {
  return await startSharedServer();
}

export = globalSetup;
