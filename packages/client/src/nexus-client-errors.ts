/** What goes wrong with Nexus operations that no workflow has started. See errors.ts for what all errors keep to. */
import { PerdureError } from '@perdure/common';
import { brandError } from '@perdure/common/lib/type-helpers';

const named = (operationId: string, runId: string | undefined) =>
  `operationId=${operationId}${runId ? ` runId=${runId}` : ''}`;

/** An operation ended without completing; `cause` says how: a failure, cancellation, termination or timeout. */
export class NexusOperationFailureError extends PerdureError {
  readonly code = 'NEXUS_OPERATION_EXECUTION_FAILED';
  declare readonly cause: Error;

  constructor(message: string, cause: Error) {
    super(message, { cause });
  }
}
brandError(NexusOperationFailureError, 'NexusOperationFailureError');

/** The id is in use, and the policies of the start refuse to share or reuse it. */
export class NexusOperationAlreadyStartedError extends PerdureError {
  readonly code = 'NEXUS_OPERATION_ALREADY_STARTED';

  constructor(
    readonly operationId: string,
    /** Of the operation that has the id. */
    readonly runId?: string | undefined,
    cause?: Error,
  ) {
    super(`Nexus operation already started: ${named(operationId, runId)}`, {
      ...(cause && { cause }),
      hint: 'take another id, or say by idReusePolicy and idConflictPolicy what shall happen',
    });
  }
}
brandError(NexusOperationAlreadyStartedError, 'NexusOperationAlreadyStartedError');

/** There is no operation with this id, or run of it. */
export class NexusOperationNotFoundError extends PerdureError {
  readonly code = 'NEXUS_OPERATION_NOT_FOUND';

  constructor(
    readonly operationId: string,
    readonly runId?: string | undefined,
    cause?: Error,
  ) {
    super(`Nexus operation not found: ${named(operationId, runId)}`, cause && { cause });
  }
}
brandError(NexusOperationNotFoundError, 'NexusOperationNotFoundError');
