/** Errors of the worker, each with a page under docs/errors. */
import { PerdureError } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

/** Both sides of {@link CombinedWorkerRunError}. */
export interface CombinedWorkerRunErrorCause {
  /** What made the worker fail. */
  workerError: unknown;
  /** What the promise given to `runUntil` was rejected with. */
  innerError: unknown;
}

/** The worker failed, and so did what `runUntil` waited for. */
export class CombinedWorkerRunError extends PerdureError {
  readonly code = 'WORKER_COMBINED_RUN_FAILED';
  declare readonly cause: CombinedWorkerRunErrorCause;

  constructor(message: string, { cause }: { cause: CombinedWorkerRunErrorCause }) {
    super(message, { cause, hint: 'look at cause.workerError and cause.innerError' });
  }
}
brandError(CombinedWorkerRunError, 'CombinedWorkerRunError');

/** `shutdownForceTime` passed before the worker had drained. */
export class GracefulShutdownPeriodExpiredError extends PerdureError {
  readonly code = 'WORKER_SHUTDOWN_PERIOD_EXPIRED';

  constructor(message: string) {
    super(message, {
      hint: 'let activities watch Context.current().cancellationSignal, or allow a longer shutdownForceTime',
    });
  }
}
brandError(GracefulShutdownPeriodExpiredError, 'GracefulShutdownPeriodExpiredError');

/** The worker has stopped; what `runUntil` waited for has not ended in time. */
export class PromiseCompletionTimeoutError extends PerdureError {
  readonly code = 'WORKER_PROMISE_TIMEOUT';

  constructor(message: string) {
    super(message, { hint: 'give runUntil a longer promiseCompletionTimeout' });
  }
}
brandError(PromiseCompletionTimeoutError, 'PromiseCompletionTimeoutError');

/** This Node.js is too old to run workflows. */
export class NodeVersionError extends PerdureError {
  readonly code = 'WORKER_NODE_VERSION';

  constructor(message: string) {
    super(message, { hint: 'install a newer Node.js; 20, 22 and 24 are tested' });
  }
}
brandError(NodeVersionError, 'NodeVersionError');

/** A promise was rejected in a workflow and nobody handled it. */
export class UnhandledRejectionError extends PerdureError {
  readonly code = 'WORKFLOW_UNHANDLED_REJECTION';

  constructor(message: string, cause: unknown) {
    super(message, { cause, hint: 'await the promise, or handle its rejection' });
  }
}
brandError(UnhandledRejectionError, 'UnhandledRejectionError');

/** A history could not be replayed, for another reason than nondeterminism. */
export class ReplayError extends PerdureError {
  readonly code = 'REPLAY_FAILED';

  constructor(message: string) {
    super(message, { hint: 'the message says what the workflow task failed with' });
  }
}
brandError(ReplayError, 'ReplayError');

/** The native side of a worker cannot go on. */
export class WorkerFatalError extends PerdureError {
  readonly code = 'WORKER_FATAL';

  constructor(
    message: string,
    /** Code of the native error. */
    readonly nativeCode: string,
  ) {
    super(message, { hint: 'the worker has stopped; a new one has to be made' });
  }
}
brandError(WorkerFatalError, 'WorkerFatalError');

/** A custom slot supplier threw; logged, never thrown. */
export class SlotSupplierError extends PerdureError {
  readonly code = 'WORKER_SLOT_SUPPLIER_FAILED';

  constructor(
    /** Kind of the tasks that the slot was for. */
    readonly slotType: string,
    /** Function of the supplier that failed. */
    readonly method: string,
    cause: unknown,
  ) {
    super(`The ${method} of the custom slot supplier for ${slotType} tasks failed`, {
      cause,
      hint: 'a supplier may throw only when its abort signal has fired; with no slot to give it waits',
    });
  }
}
brandError(SlotSupplierError, 'SlotSupplierError');
