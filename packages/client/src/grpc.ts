/**
 * The gRPC library, met when the first connection is made.
 *
 * Loading it takes as long as the rest of the client together, and a program that only has handles, types and errors,
 * or whose connection is a native one, never needs it.
 */
import type { status } from '@grpc/grpc-js';

/** The library as a whole. */
export const grpc = (): typeof import('@grpc/grpc-js') => require('@grpc/grpc-js');

/** Status codes of gRPC; the same numbers as the library's `status`. */
export const grpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const satisfies { readonly [Name in keyof typeof status]: number };
export type GrpcStatus = status;
