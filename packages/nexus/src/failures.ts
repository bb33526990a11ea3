/**
 * What handlers throw, as answers to the server.
 *
 * F1  Only two kinds of errors mean something to Nexus: an OperationError ends the operation, a HandlerError tells
 *     whether the request may be repeated. Everything else becomes a HandlerError by what it says about itself.
 * F2  Messages and details pass the user's failure converter and codecs, as failures of activities do.
 */
import {
  ActivityExecutionAlreadyStartedError,
  ActivityNotFoundError,
  isGrpcServiceError,
  ServiceError,
} from '@perdure/client';
import {
  ApplicationFailure,
  CancelledFailure,
  FAILURE_SOURCE,
  type LoadedDataConverter,
  NamespaceNotFoundError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@perdure/common';
import { encodeErrorToFailure } from '@perdure/common/lib/internal-non-workflow';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import { HandlerError, type HandlerErrorType, type OperationError } from 'nexus-rpc';

// temporal.api.enums.v1.NexusHandlerErrorRetryBehavior
const RETRYABLE = 1;
const NON_RETRYABLE = 2;

/** The answer to a request whose operation has ended without success. */
export function operationFailure(converter: LoadedDataConverter, error: OperationError): Promise<Failure> {
  const cause = error.cause as Error | undefined;
  const failure =
    error.state === 'canceled'
      ? new CancelledFailure(error.message, [], cause)
      : new ApplicationFailure(error.message, 'OperationError', true, undefined, cause);
  return encodeErrorToFailure(converter, withStack(failure, error)); // F2
}

/** The answer to a request that could not be handled. */
export async function handlerFailure(converter: LoadedDataConverter, error: HandlerError): Promise<Failure> {
  const { message, cause, type, rawErrorType, retryable } = error;
  const carrier = withStack(
    new ApplicationFailure(message, type, !retryable, undefined, cause as Error),
    error,
  );
  const { applicationFailureInfo, ...failure } = await encodeErrorToFailure(converter, carrier); // F2
  return { ...failure, nexusHandlerFailureInfo: infoOf(rawErrorType || type, retryable) };
}

/** An answer made without converters, for when those fail. */
export function plainHandlerFailure(message: string, type: HandlerErrorType, retryable: boolean): Failure {
  return { source: FAILURE_SOURCE, message, nexusHandlerFailureInfo: infoOf(type, retryable) };
}

function infoOf(type: string, retryable: boolean): NonNullable<Failure['nexusHandlerFailureInfo']> {
  return { type, retryBehavior: retryable ? RETRYABLE : NON_RETRYABLE };
}

function withStack<E extends Error>(error: E, { stack }: Error): E {
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** gRPC status of the server → what it means to the caller of the operation, and whether it may try again. */
const BY_GRPC_STATUS: Readonly<Record<number, readonly [HandlerErrorType, boolean?]>> = {
  3: ['BAD_REQUEST'], // INVALID_ARGUMENT
  4: ['UPSTREAM_TIMEOUT'], // DEADLINE_EXCEEDED
  5: ['NOT_FOUND'],
  6: ['INTERNAL', false], // ALREADY_EXISTS
  8: ['RESOURCE_EXHAUSTED'],
  9: ['INTERNAL', false], // FAILED_PRECONDITION
  10: ['UNAVAILABLE'], // ABORTED
  11: ['INTERNAL', false], // OUT_OF_RANGE
  12: ['NOT_IMPLEMENTED'],
  14: ['UNAVAILABLE'],
  // UNAUTHENTICATED and PERMISSION_DENIED are about this worker, not about the caller: INTERNAL like the rest.
};

/** F1 */
export function asHandlerError(error: unknown): HandlerError {
  if (error instanceof HandlerError) return error;
  const [type, retryable] = classify(error);
  const message =
    error instanceof Error ? undefined : `a value that is no error was thrown: ${textOf(error)}`;
  return new HandlerError(type, message, { cause: error, retryableOverride: retryable });
}

function classify(error: unknown): readonly [HandlerErrorType, boolean?] {
  if (error instanceof ApplicationFailure) return ['INTERNAL', error.nonRetryable ? false : undefined];
  if (error instanceof WorkflowNotFoundError || error instanceof NamespaceNotFoundError) return ['NOT_FOUND'];
  if (error instanceof ActivityNotFoundError) return ['NOT_FOUND'];
  if (error instanceof WorkflowExecutionAlreadyStartedError) return ['INTERNAL', false];
  if (error instanceof ActivityExecutionAlreadyStartedError) return ['INTERNAL', false];
  const call = error instanceof ServiceError ? error.cause : error; // raw services do not wrap
  if (isGrpcServiceError(call)) return BY_GRPC_STATUS[call.code] ?? ['INTERNAL'];
  return ['INTERNAL'];
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}
