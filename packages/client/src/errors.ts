/**
 * The errors of clients.
 *
 * C1  Each carries a `code` with a page in docs/errors; the official class names are kept. QueryNotRegisteredError is
 *     the one exception: its `code` is the gRPC status, as its users expect.
 * C2  What the server said stays reachable as `cause`.
 */
import type { ServiceError as GrpcServiceError } from '@grpc/grpc-js';
import { PerdureError, type RetryState } from '@perdure/common';
import { brandError, isError, isRecord } from '@perdure/common/lib/type-helpers';
import type { WorkflowExecutionStatus } from '@perdure/proto/temporal/api/enums/v1/workflow';
import { type GrpcStatus, grpcStatus } from './grpc';

/** A call to the server failed; `cause` is the gRPC error. */
export class ServiceError extends PerdureError {
  readonly code: string = 'CLIENT_RPC_FAILED';
  declare readonly cause?: Error;

  constructor(message: string, opts?: { cause: Error; hint?: string }) {
    super(message, opts);
  }
}
brandError(ServiceError, 'ServiceError');

/** The server refuses the caller: no credentials, wrong ones, or not enough rights. `cause` is the gRPC error. */
export class ServicePermissionError extends ServiceError {
  override readonly code = 'CLIENT_PERMISSION_DENIED';
}
brandError(ServicePermissionError, 'ServicePermissionError');

/** The deadline of a call has passed; what it asked for may have happened all the same. `cause` is the gRPC error. */
export class ServiceDeadlineError extends ServiceError {
  override readonly code = 'CLIENT_DEADLINE_EXCEEDED';
}
brandError(ServiceDeadlineError, 'ServiceDeadlineError');

/** A call was cancelled, by an abort signal or as its connection was closed; it may have had its effect. `cause` is the gRPC error. */
export class ServiceCancelledError extends ServiceError {
  override readonly code = 'CLIENT_CALL_CANCELLED';
}
brandError(ServiceCancelledError, 'ServiceCancelledError');

/** Which part of the way to the server is at fault. */
export type ConnectionFault = 'name' | 'port' | 'tls' | 'credentials' | 'server' | 'timeout';

/** No connection to the server could be made. */
export class ConnectionFailedError extends ServiceError {
  override readonly code = 'CLIENT_CONNECTION_FAILED';

  constructor(
    message: string,
    /** The part at fault: name resolution, the port, the TLS handshake, the credentials, the server, or time. */
    readonly fault: ConnectionFault,
    opts: { cause: Error; hint: string },
  ) {
    super(message, opts);
  }
}
brandError(ConnectionFailedError, 'ConnectionFailedError');

/** A workflow ended without completing; `cause` says how: a failure, cancellation, termination or timeout. */
export class WorkflowFailedError extends PerdureError {
  readonly code = 'WORKFLOW_EXECUTION_FAILED';
  declare readonly cause: Error | undefined;

  constructor(
    message: string,
    cause: Error | undefined,
    /** Why the server did not retry it. */
    readonly retryState: RetryState,
  ) {
    super(message, { cause });
  }
}
brandError(WorkflowFailedError, 'WorkflowFailedError');

/** The run has continued as a new one, and the caller asked not to follow. */
export class WorkflowContinuedAsNewError extends PerdureError {
  readonly code = 'WORKFLOW_CONTINUED_AS_NEW';

  constructor(
    message: string,
    readonly newExecutionRunId: string,
  ) {
    super(message, { hint: 'leave followRuns at true, or ask for the result of the new run' });
  }
}
brandError(WorkflowContinuedAsNewError, 'WorkflowExecutionContinuedAsNewError'); // the official name

/** An update was rejected by its validator, or its handler failed; `cause` says how. */
export class WorkflowUpdateFailedError extends PerdureError {
  readonly code = 'WORKFLOW_UPDATE_FAILED';
  declare readonly cause: Error | undefined;

  constructor(message: string, cause: Error | undefined) {
    super(message, { cause });
  }
}
brandError(WorkflowUpdateFailedError, 'WorkflowUpdateFailedError');

/** The call that waited for an update timed out or was cancelled; the update itself may still go on. */
export class WorkflowUpdateRPCTimeoutOrCancelledError extends PerdureError {
  readonly code = 'WORKFLOW_UPDATE_WAIT_INTERRUPTED';
  declare readonly cause?: Error;

  constructor(message: string, opts?: { cause: Error }) {
    super(message, { ...opts, hint: 'wait again with getUpdateHandle(updateId).result()' });
  }
}
brandError(WorkflowUpdateRPCTimeoutOrCancelledError, 'WorkflowUpdateRPCTimeoutOrCancelledError');

/** The server refused a query because of the workflow's status and the reject condition. */
export class QueryRejectedError extends PerdureError {
  readonly code = 'WORKFLOW_QUERY_REJECTED';

  constructor(readonly status: WorkflowExecutionStatus) {
    super('Query rejected: the workflow is not open', {
      hint: 'ask with another queryRejectCondition to query closed workflows',
    });
  }
}
brandError(QueryRejectedError, 'QueryRejectedError');

/** The workflow has no handler for the query. */
export class QueryNotRegisteredError extends Error {
  constructor(
    message: string,
    /** gRPC status (C1). */
    readonly code: GrpcStatus,
  ) {
    super(message);
  }
}
brandError(QueryNotRegisteredError, 'QueryNotRegisteredError');

/** The activity is unknown, or closed already. */
export class ActivityNotFoundError extends PerdureError {
  readonly code = 'ACTIVITY_EXECUTION_NOT_FOUND';
}
brandError(ActivityNotFoundError, 'ActivityNotFoundError');

/** An activity could not be completed from outside; `cause` says why. */
export class ActivityCompletionError extends PerdureError {
  readonly code = 'ACTIVITY_COMPLETION_FAILED';
}
brandError(ActivityCompletionError, 'ActivityCompletionError');

/** A heartbeat was answered: the activity is to be cancelled. */
export class ActivityCancelledError extends PerdureError {
  readonly code = 'ACTIVITY_CANCELLED';
}
brandError(ActivityCancelledError, 'ActivityCancelledError');

/** A heartbeat was answered: the activity is paused. */
export class ActivityPausedError extends PerdureError {
  readonly code = 'ACTIVITY_PAUSED';
}
brandError(ActivityPausedError, 'ActivityPausedError');

/** A heartbeat was answered: the activity was reset. */
export class ActivityResetError extends PerdureError {
  readonly code = 'ACTIVITY_RESET';
}
brandError(ActivityResetError, 'ActivityResetError');

/** Whether this is an error of a gRPC call: it carries a status, details and metadata. */
export function isGrpcServiceError(err: unknown): err is GrpcServiceError {
  return isError(err) && isRecord(err) && typeof err.details === 'string' && isRecord(err.metadata);
}

function hasGrpcStatus(err: unknown, wanted: GrpcStatus): boolean {
  for (let current = err, depth = 0; isError(current) && depth < 20; current = current.cause, depth++) {
    if (isGrpcServiceError(current)) return current.code === wanted;
  }
  return false;
}

/** Whether the error, or the cause of it, is that the deadline of a call has passed. */
export function isGrpcDeadlineError(err: unknown): err is Error {
  return hasGrpcStatus(err, grpcStatus.DEADLINE_EXCEEDED);
}

/** Whether the error, or the cause of it, is that a call was cancelled. */
export function isGrpcCancelledError(err: unknown): err is Error {
  return hasGrpcStatus(err, grpcStatus.CANCELLED);
}

/** @deprecated use isGrpcServiceError */
export const isServerErrorResponse = isGrpcServiceError;
