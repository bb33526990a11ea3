/** Errors of activity-only workers. Those that `@perdure/worker` has too are the same classes to `instanceof`. */
import { PerdureError } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

/** Options that cannot be used; `problems` names each field, what it got and what it takes. */
export class ActivityWorkerOptionsError extends PerdureError {
  readonly code = 'ACTIVITY_WORKER_OPTIONS_INVALID';

  constructor(readonly problems: readonly string[]) {
    super(`invalid options of an activity worker:\n${problems.map((line) => `  ${line}`).join('\n')}`, {
      hint: 'each line names the field, what it got and what it takes',
    });
  }
}
brandError(ActivityWorkerOptionsError, 'ActivityWorkerOptionsError');

/** `shutdownForceTime` passed before every activity had ended. */
export class GracefulShutdownPeriodExpiredError extends PerdureError {
  readonly code = 'WORKER_SHUTDOWN_PERIOD_EXPIRED';

  constructor(message: string) {
    super(message, {
      hint: 'let activities watch Context.current().cancellationSignal, or allow a longer shutdownForceTime',
    });
  }
}
brandError(GracefulShutdownPeriodExpiredError, 'GracefulShutdownPeriodExpiredError');

/** The server refuses the worker's polls, or the native side cannot go on; `cause` says why. */
export class ActivityWorkerFailedError extends PerdureError {
  readonly code = 'ACTIVITY_WORKER_FAILED';

  constructor(message: string, cause?: unknown) {
    super(message, {
      hint: 'the worker has stopped; mend the cause and make a new one',
      ...(cause !== undefined && { cause }),
    });
  }
}
brandError(ActivityWorkerFailedError, 'ActivityWorkerFailedError');
