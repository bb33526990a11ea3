/**
 * One dev server for all test files of a run.
 *
 * As a module it is what runners take as global setup that look for functions by name: Mocha's `--require`,
 * `--test-global-setup` of Node.js 24; the others take global-setup.ts. It starts a server in the runner's own process and puts its address
 * into the environment, where the test files (in whatever processes) find it.
 *
 * Owns    the environment variable.
 * G1  At most one server a process, however often and under whichever name setup is called.
 * G2  The server ends with teardown, and with the runner however that ends.
 */
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { type DevServerConfig, devServerOptions } from './server-options';

/** Holds `host:port` of the shared server. */
export const SHARED_SERVER_VARIABLE = 'PERDURE_TEST_SERVER';

let started: Promise<DevServer> | undefined;

/** `host:port` of the shared server; undefined where nobody has started one. */
export function sharedServerAddress(): string | undefined {
  return process.env[SHARED_SERVER_VARIABLE] || undefined;
}

/**
 * Starts the shared server, unless there is one. For a global setup file of one's own, when the server needs options.
 * @returns stops the server if it was started here
 * @throws {ValueError} wrong options; {DevServerError} the server cannot be found, installed or started
 */
export async function startSharedServer(
  server: Omit<DevServerConfig, 'type'> = {},
): Promise<() => Promise<void>> {
  if (sharedServerAddress() === undefined || started !== undefined) {
    started ??= startDevServer(devServerOptions(server)); // G1
    try {
      process.env[SHARED_SERVER_VARIABLE] = (await started).address;
    } catch (error) {
      started = undefined;
      throw error;
    }
  }
  return stopSharedServer;
}

/** Stops the server that `startSharedServer` has started in this process. */
export async function stopSharedServer(): Promise<void> {
  if (started === undefined) return;
  const server = await started;
  started = undefined;
  delete process.env[SHARED_SERVER_VARIABLE];
  await server.stop();
}

/** For runners that take the return value of their setup for something else. */
async function setUp(): Promise<void> {
  await startSharedServer();
}

export {
  setUp as globalSetup,
  setUp as mochaGlobalSetup,
  stopSharedServer as globalTeardown,
  stopSharedServer as mochaGlobalTeardown,
};
