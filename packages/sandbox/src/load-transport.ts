/** Loads the module that connects a lane to whoever gives it work. */
import { pathToFileURL } from 'node:url';
import { LaneStartError } from './errors';
import type { LaneTransportModule } from './transport';

/** @param path absolute path or resolvable name of the module @throws LaneStartError if it exports no transport */
export async function loadTransport(path: string): Promise<LaneTransportModule> {
  let loaded: Partial<LaneTransportModule> & { default?: Partial<LaneTransportModule> };
  try {
    loaded = require(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_REQUIRE_ESM') throw error;
    loaded = await import(pathToFileURL(path).href);
  }
  const laneTransport = loaded.laneTransport ?? loaded.default?.laneTransport;
  if (typeof laneTransport?.open !== 'function') {
    throw new LaneStartError(`the module ${path} does not export a laneTransport`, {
      hint: 'give the path of a module that exports { laneTransport: { open(lane, onBatch, data) } }',
    });
  }
  return { laneTransport };
}
