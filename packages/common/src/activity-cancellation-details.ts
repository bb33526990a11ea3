/** Why an activity was cancelled. */
import type { ActivityCancellationDetails as ProtoDetails } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';

export interface ActivityCancellationDetailsOptions {
  notFound?: boolean;
  cancelRequested?: boolean;
  paused?: boolean;
  timedOut?: boolean;
  workerShutdown?: boolean;
  reset?: boolean;
}

/** Immutable; several reasons may hold at once. */
export class ActivityCancellationDetails {
  /** The workflow or the activity is gone. */
  readonly notFound: boolean;
  /** The workflow or a user asked for it. */
  readonly cancelRequested: boolean;
  /** An operator paused the activity. */
  readonly paused: boolean;
  /** One of its timeouts has fired. */
  readonly timedOut: boolean;
  /** This worker stops. */
  readonly workerShutdown: boolean;
  /** An operator reset the activity. */
  readonly reset: boolean;

  constructor(options: ActivityCancellationDetailsOptions = {}) {
    this.notFound = options.notFound ?? false;
    this.cancelRequested = options.cancelRequested ?? false;
    this.paused = options.paused ?? false;
    this.timedOut = options.timedOut ?? false;
    this.workerShutdown = options.workerShutdown ?? false;
    this.reset = options.reset ?? false;
    Object.freeze(this);
  }

  static fromProto(proto: ProtoDetails | null | undefined): ActivityCancellationDetails {
    return new ActivityCancellationDetails({
      notFound: proto?.isNotFound,
      cancelRequested: proto?.isCancelled,
      paused: proto?.isPaused,
      timedOut: proto?.isTimedOut,
      workerShutdown: proto?.isWorkerShutdown,
      reset: proto?.isReset,
    });
  }
}
