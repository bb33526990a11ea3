/** Jest's `globalSetup`: the shared server, which ends with jest. Jest takes a function where others take names. */
import { startSharedServer } from './shared-server';

/** Takes what jest hands to it, and needs none of it. */
async function globalSetup(): Promise<void> {
  await startSharedServer();
}

export = globalSetup;
