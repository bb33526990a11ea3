/**
 * The native addon, typed: the only file that knows what `crates/node` exports.
 *
 * Owns    names, argument and result types of every native function.
 * Leaves  finding and loading the addon to load.ts.
 * N1  Messages cross as bytes (proto/perdure/core/v1), long lives cross as opaque handles.
 * N2  Every error that a native function throws or rejects with is an `Error` with a string `code`.
 * N3  No function blocks its thread.
 */

declare const handle: unique symbol;
/** Opaque outside the addon. */
export type RuntimeHandle = { readonly [handle]: 'runtime' };
/** Opaque outside the addon. */
export type ConnectionHandle = { readonly [handle]: 'connection' };
/** Opaque outside the addon. */
export type WorkerHandle = { readonly [handle]: 'worker' };

/**
 * Called on the thread that registered it, with everything pending; one call is one wake-up. What it throws is an
 * uncaught exception of that thread.
 */
export type BatchListener = (batch: Uint8Array) => void;

export interface Native {
  /** Version of the addon, equal to the version of `@perdure/core`. */
  version(): string;

  /** @param options RuntimeOptions @param onTelemetry gets a TelemetryBatch; never keeps the process alive */
  runtimeOpen(options: Uint8Array, onTelemetry: BatchListener): RuntimeHandle;
  /** Flushes telemetry and ends the runtime's threads. Idempotent. */
  runtimeClose(runtime: RuntimeHandle): void;

  /** A TelemetryBatch with everything that the listener has not been given yet. */
  runtimeTakeTelemetry(runtime: RuntimeHandle): Uint8Array;

  /**
   * The number of a metric of the core's exporter, by which records name it; the same for equal definitions.
   * @param definition MetricDefinition
   */
  metricDefine(runtime: RuntimeHandle, definition: Uint8Array): number;
  /** Records all or none; records lead nowhere while metrics are off. @param updates MetricUpdates */
  metricRecord(runtime: RuntimeHandle, updates: Uint8Array): void;
  /** A BufferedMetrics with everything since the last call; empty unless metrics are buffered. */
  metricFetch(runtime: RuntimeHandle): Uint8Array;

  /** @param options ConnectionOptions */
  connectionOpen(runtime: RuntimeHandle, options: Uint8Array): Promise<ConnectionHandle>;
  /** @param update ConnectionUpdate */
  connectionUpdate(connection: ConnectionHandle, update: Uint8Array): void;
  /**
   * One raw gRPC call.
   * @param call RpcCall @returns the encoded response
   * @throws `CORE_RPC_FAILED` with numeric `grpcCode`, `details` text and `metadata`
   */
  connectionCall(connection: ConnectionHandle, call: Uint8Array): Promise<Uint8Array>;

  /**
   * Makes a worker that does not poll yet.
   * @param options WorkerOptions @param onTasks gets a TaskBatch on this thread; keeps the process alive
   *   from workerStart until workerFinalize has resolved
   */
  workerOpen(
    runtime: RuntimeHandle,
    connection: ConnectionHandle,
    options: Uint8Array,
    onTasks: BatchListener,
  ): WorkerHandle;
  /**
   * Makes a worker that is fed with histories instead of polling. Each history ends in one ReplayResult event.
   * @param options WorkerOptions; `replay_concurrency` histories are replayed side by side
   */
  replayWorkerOpen(runtime: RuntimeHandle, options: Uint8Array, onTasks: BatchListener): WorkerHandle;
  /** The number by which lanes know the worker; unique in the process, never reused. */
  workerNumber(worker: WorkerHandle): number;
  /** Asks the server whether namespace and credentials are right. */
  workerValidate(worker: WorkerHandle): Promise<void>;
  /**
   * Begins to poll; with a lazy connection, once that stands.
   * @param lanes lanes that may run this worker's workflows; empty if it has none, or none yet
   */
  workerStart(worker: WorkerHandle, lanes: readonly number[]): void;
  /** Replaces the set of lanes that get new runs; runs of lanes no longer named stay where they are. */
  workerSetLanes(worker: WorkerHandle, lanes: readonly number[]): void;
  /** Later polls use the other connection. */
  workerSetConnection(worker: WorkerHandle, connection: ConnectionHandle): void;
  /** Stops polling; every outstanding task still has to be completed. Idempotent. */
  workerShutdown(worker: WorkerHandle): void;
  /**
   * Resolves once all pollers have drained and every completion has been delivered; then the handle is spent.
   * A worker that was never started is shut down by this.
   */
  workerFinalize(worker: WorkerHandle): Promise<void>;
  /** Runs the worker holds in its cache now. */
  workerCachedRuns(worker: WorkerHandle): number;

  /**
   * @param history ReplayHistory @returns resolves when the hub can take the next one
   * @throws `CORE_HISTORY_INVALID` it cannot be replayed, and ends in no ReplayResult
   */
  replayFeed(worker: WorkerHandle, history: Uint8Array): Promise<void>;
  /** No more histories; the worker drains and then reports its pollers drained. */
  replayEnd(worker: WorkerHandle): void;

  /** @param completion coresdk.ActivityTaskCompletion; resolves when the server has it */
  activityComplete(worker: WorkerHandle, completion: Uint8Array): Promise<void>;
  /** @param heartbeat coresdk.ActivityHeartbeat; throttled by the core */
  activityHeartbeat(worker: WorkerHandle, heartbeat: Uint8Array): void;
  /** @param completion coresdk.nexus.NexusTaskCompletion */
  nexusComplete(worker: WorkerHandle, completion: Uint8Array): Promise<void>;
  /** @param response CodecResponse */
  codecComplete(worker: WorkerHandle, response: Uint8Array): void;
  /** @param answer SlotAnswer to a SlotRequest */
  slotAnswer(worker: WorkerHandle, answer: Uint8Array): void;

  /**
   * Called on a lane's own thread: makes the lane known to the hub. Never keeps the process alive by itself.
   * @param lane number of the lane, unique in the process @param onBatch gets a LaneBatch
   */
  laneOpen(lane: number, onBatch: BatchListener): void;
  /** On the lane's thread. @param completions LaneCompletions */
  laneComplete(lane: number, completions: Uint8Array): void;
  /** On the lane's thread: nothing may be sent to it any more; its runs are evicted. Idempotent. */
  laneClose(lane: number): void;
  /** On the main thread. @param report LaneLost */
  laneLost(report: Uint8Array): void;
  /** Evicts the least recently used runs of a lane. @returns how many evictions were asked for */
  laneEvict(lane: number, count: number): number;
}
