/**
 * How a lane thread meets whoever gives it work. `@perdure/core` has the native one; tests and other hosts
 * bring their own. The sandbox knows only this interface.
 */
export interface LaneTransport {
  /**
   * Called once on the lane thread.
   * @param lane number of the lane, unique in the process
   * @param onBatch gets an encoded perdure.core.v1.LaneBatch whenever work is pending
   * @param data what `LanePoolOptions.transportData` made for this lane, as it arrives on the thread
   */
  open(lane: number, onBatch: (batch: Uint8Array) => void, data?: unknown): LaneEnd;
}

/** The lane's end of its transport. */
export interface LaneEnd {
  /** @param completions encoded perdure.core.v1.LaneCompletions */
  complete(completions: Uint8Array): void;
  /** Asks for the eviction of the least recently used runs. @returns how many will come */
  evict(count: number): number;
  /** Nothing may be sent to this lane any more. */
  close(): void;
}

/** What a module given as `LanePoolOptions.transportModule` exports as `laneTransport`. */
export interface LaneTransportModule {
  readonly laneTransport: LaneTransport;
}
