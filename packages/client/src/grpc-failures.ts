/**
 * From errors of gRPC calls to the typed errors of this SDK.
 *
 * Owns    reading the details that servers attach to a status, and the mapping of statuses.
 * M1  An error that is not of a gRPC call passes unchanged: it is the caller's, or typed already.
 */
import type { ServiceError as GrpcServiceError } from '@grpc/grpc-js';
import { NamespaceNotFoundError, WorkflowNotFoundError } from '@perdure/common';
import type { Any } from '@perdure/proto/google/protobuf/any';
import type * as ErrorDetails from '@perdure/proto/temporal/api/errordetails/v1/message';
import {
  isGrpcServiceError,
  ServiceCancelledError,
  ServiceDeadlineError,
  ServiceError,
  ServicePermissionError,
} from './errors';
import { grpcStatus } from './grpc';

/** The messages attached to a gRPC error. */
export function errorDetails(error: GrpcServiceError): Any[] {
  const [encoded] = error.metadata.get('grpc-status-details-bin');
  if (!(encoded instanceof Uint8Array)) return [];
  try {
    const { Status } =
      require('@perdure/proto/google/rpc/status') as typeof import('@perdure/proto/google/rpc/status');
    return Status.decode(encoded).details ?? [];
  } catch {
    return []; // a detail that cannot be read tells nothing; the status itself still does
  }
}

type DetailName =
  | 'NamespaceNotFoundFailure'
  | 'QueryFailedFailure'
  | 'MultiOperationExecutionFailure'
  | 'ActivityExecutionAlreadyStartedFailure'
  | 'NexusOperationExecutionAlreadyStartedFailure'
  | 'PermissionDeniedFailure';
type Detail<N extends DetailName> = (typeof ErrorDetails)[N] extends { decode(bytes: Uint8Array): infer T }
  ? T
  : never;

/** The attached message of the given type, if there is one. */
export function errorDetail<N extends DetailName>(error: GrpcServiceError, name: N): Detail<N> | undefined {
  const found = errorDetails(error).find(({ typeUrl }) =>
    typeUrl?.endsWith(`temporal.api.errordetails.v1.${name}`),
  );
  if (found === undefined) return undefined;
  const messages = require('@perdure/proto/temporal/api/errordetails/v1/message') as typeof ErrorDetails;
  return messages[name].decode(found.value ?? new Uint8Array()) as Detail<N>;
}

export interface FailedCall {
  /** What the caller wanted, for the message: "Failed to …". */
  readonly doing: string;
  readonly namespace: string;
  /** The execution that the call was about. */
  readonly workflowId?: string;
  readonly runId?: string | undefined;
}

/** Adds what the server said to an error whose constructor takes no cause (C2 of errors.ts). */
export function withCause<E extends Error>(error: E, cause: unknown): E {
  Object.defineProperty(error, 'cause', {
    value: cause,
    configurable: true,
    writable: true,
    enumerable: false,
  });
  return error;
}

/** Throws the typed error that fits a failed call. */
export function rethrowGrpcError(error: unknown, { doing, namespace, workflowId, runId }: FailedCall): never {
  if (!isGrpcServiceError(error)) throw error; // M1
  if (error.code === grpcStatus.NOT_FOUND) {
    const missing = errorDetail(error, 'NamespaceNotFoundFailure');
    if (missing !== undefined)
      throw withCause(new NamespaceNotFoundError(missing.namespace || namespace), error);
    if (workflowId !== undefined) {
      const what = error.details || 'Workflow execution not found';
      throw withCause(new WorkflowNotFoundError(what, workflowId, runId), error);
    }
  }
  const message = `Failed to ${doing}: ${error.details || error.message}`;
  switch (error.code) {
    case grpcStatus.PERMISSION_DENIED:
    case grpcStatus.UNAUTHENTICATED: {
      const reason = errorDetail(error, 'PermissionDeniedFailure')?.reason;
      throw new ServicePermissionError(reason ? `${message} (${reason})` : message, {
        cause: error,
        hint: 'check the API key or client certificate, and what it may do in this namespace',
      });
    }
    case grpcStatus.DEADLINE_EXCEEDED:
      throw new ServiceDeadlineError(message, { cause: error });
    case grpcStatus.CANCELLED:
      throw new ServiceCancelledError(message, { cause: error });
    default:
      throw new ServiceError(message, { cause: error });
  }
}
