/**
 * Where an activity-only worker's tasks come from and its answers go.
 *
 * T1  Only bytes of the core's protocol cross: coresdk.activity_task.ActivityTask in, ActivityTaskCompletion and
 *     ActivityHeartbeat out.
 * T2  `ended` is called once: after `stop` when no task comes any more, or with an error when the source gives up.
 * T3  Every task that was given out is completed once; `close` comes after that, or gives up what is left.
 */
export interface TaskListener {
  /** @param task encoded ActivityTask: a start, or the cancellation of one that was started */
  task(task: Uint8Array): void;
  ended(error?: unknown): void;
}

export interface TaskSource {
  /** Begins to poll. */
  start(listener: TaskListener): void;
  /** Polls no more, and cancels what runs once the grace time has passed. Idempotent. */
  stop(): void;
  /** @param completion encoded ActivityTaskCompletion; resolves when it is delivered, or will never be */
  complete(completion: Uint8Array): Promise<void>;
  /** @param heartbeat encoded ActivityHeartbeat; throttled here */
  heartbeat(heartbeat: Uint8Array): void;
  /** Releases everything; resolves when that is done. */
  close(): Promise<void>;
}
