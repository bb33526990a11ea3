/**
 * How a lane thread meets the hub: fits `LaneTransport` of @perdure/sandbox, which this package does not know.
 * Give the path of this module as `transportModule` of a lane pool.
 *
 * T1  Loading it loads the addon's loader and nothing else.
 */
import { guarded, loadAddon } from './load';

/** The native transport. Calls of `open` and of the end it returns belong on the lane's own thread. */
export const laneTransport = {
  /**
   * @param lane number of the lane, unique in the process
   * @param onBatch gets an encoded perdure.core.v1.LaneBatch with everything pending
   * @throws CORE_LANE_TAKEN a lane of this number is open
   */
  open(lane: number, onBatch: (batch: Uint8Array) => void) {
    const native = loadAddon();
    native.laneOpen(lane, guarded(onBatch));
    return {
      /** @param completions encoded perdure.core.v1.LaneCompletions */
      complete(completions: Uint8Array): void {
        native.laneComplete(lane, completions);
      },
      /** @returns how many evictions will come */
      evict(count: number): number {
        return native.laneEvict(lane, count);
      },
      close(): void {
        native.laneClose(lane);
      },
    };
  },
};
