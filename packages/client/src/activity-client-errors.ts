/** What goes wrong with activities that no workflow has started. See errors.ts for what all errors keep to. */
import { PerdureError } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

/** An activity ended without completing; `cause` says how: a failure, cancellation, termination or timeout. */
export class ActivityExecutionFailedError extends PerdureError {
  readonly code = 'ACTIVITY_EXECUTION_FAILED';
  declare readonly cause: Error | undefined;

  constructor(
    message: string,
    cause: Error | undefined,
    readonly activityId: string,
    readonly runId?: string | undefined,
  ) {
    super(message, { cause });
  }
}
brandError(ActivityExecutionFailedError, 'ActivityExecutionFailedError');

/** The id is in use, and the policies of the start refuse to share or reuse it. */
export class ActivityExecutionAlreadyStartedError extends PerdureError {
  readonly code = 'ACTIVITY_EXECUTION_ALREADY_STARTED';

  constructor(
    message: string,
    readonly activityId: string,
    /** Of the activity that has the id. */
    readonly runId: string,
    cause?: Error,
  ) {
    super(message, {
      ...(cause && { cause }),
      hint: 'take another id, or say by idReusePolicy and idConflictPolicy what shall happen',
    });
  }
}
brandError(ActivityExecutionAlreadyStartedError, 'ActivityExecutionAlreadyStartedError');
