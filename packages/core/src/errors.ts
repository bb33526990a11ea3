/**
 * Errors of the native side, with their codes and what to do about them.
 *
 * R1  An error that comes from the addon keeps its code, its text and what a failed call brought back.
 */
import { PerdureError } from '@perdure/common';
import type { Attempt } from './load';

/** Every code of the native side. */
export type CoreErrorCode =
  | 'CORE_ADDON_MISMATCH'
  | 'CORE_ADDON_MISSING'
  | 'CORE_COMPLETION_REJECTED'
  | 'CORE_CONNECT_FAILED'
  | 'CORE_HISTORY_INVALID'
  | 'CORE_LANE_TAKEN'
  | 'CORE_MESSAGE_MALFORMED'
  | 'CORE_NAMESPACE_UNUSABLE'
  | 'CORE_OPTIONS_INVALID'
  | 'CORE_PANICKED'
  | 'CORE_POLL_FAILED'
  | 'CORE_REPLAY_ENDED'
  | 'CORE_RPC_FAILED'
  | 'CORE_RPC_UNKNOWN'
  | 'CORE_RUNTIME_CLOSED'
  | 'CORE_TELEMETRY_FAILED'
  | 'CORE_WORKER_CLOSED'
  | 'CORE_WORKER_INVALID'
  | 'CORE_WORKER_STARTED';

/** What the addon or its loading failed with. `code` tells the kind; docs/errors has a page per code. */
export class CoreError extends PerdureError {
  override readonly name: string = 'CoreError';

  constructor(
    readonly code: CoreErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, {
      ...(HINTS[code] !== undefined && { hint: HINTS[code] }),
      ...(cause !== undefined && { cause }),
    });
  }
}

/** A gRPC call through the native connection failed. */
export class CoreRpcError extends CoreError {
  override readonly name = 'CoreRpcError';

  constructor(
    message: string,
    /** gRPC status code. */
    readonly grpcCode: number,
    /** Encoded google.rpc.Status; empty if the server sent none. */
    readonly details: Uint8Array,
    readonly metadata: Readonly<Record<string, string | Uint8Array>>,
  ) {
    super('CORE_RPC_FAILED', message);
  }
}

/** No connection to the server. */
export class TransportError extends CoreError {
  override readonly name = 'TransportError';

  constructor(message: string, cause?: unknown) {
    super('CORE_CONNECT_FAILED', message, cause);
  }
}

/** Something was asked of a worker or a runtime that has been shut down. */
export class ShutdownError extends CoreError {
  override readonly name = 'ShutdownError';

  constructor(message: string, code: 'CORE_WORKER_CLOSED' | 'CORE_RUNTIME_CLOSED' = 'CORE_WORKER_CLOSED') {
    super(code, message);
  }
}

/** A bug on the native side. */
export class UnexpectedError extends CoreError {
  override readonly name = 'UnexpectedError';

  constructor(message: string, cause?: unknown) {
    super('CORE_PANICKED', message, cause);
  }
}

const HINTS: Readonly<Partial<Record<CoreErrorCode, string>>> = {
  CORE_ADDON_MISSING:
    'install @perdure/core with optional dependencies, or build the addon with `npm run build:native -w packages/core`',
  CORE_ADDON_MISMATCH: 'install the same version of all @perdure packages, or build the addon again',
  CORE_CONNECT_FAILED: 'check the address, that a Temporal Server listens there, and whether it expects TLS',
  CORE_NAMESPACE_UNUSABLE:
    'check the spelling of the namespace and the credentials, and create it if it is new',
  CORE_WORKER_INVALID: 'one worker per task queue, namespace and kind of task can share a connection',
  CORE_TELEMETRY_FAILED: 'check that the address of the exporter is free and well formed',
  CORE_RUNTIME_CLOSED: 'make a new runtime; one that was closed cannot be used again',
  CORE_HISTORY_INVALID: 'replay a whole history, from its first event on, as the server or the CLI gives it',
  CORE_POLL_FAILED: 'the server refuses polls: check namespace, credentials and permissions',
  CORE_PANICKED: 'this is a bug of Perdure: please report it with the message',
};

export function addonMissing(platform: string, arch: string, attempts: readonly Attempt[]): CoreError {
  const tried = attempts.map(({ place, problem }) => `\n  ${place}: ${problem}`).join('');
  return new CoreError(
    'CORE_ADDON_MISSING',
    `no native addon for ${platform}-${arch} can be loaded. Tried:${tried}`,
  );
}

export function addonMismatch(place: string, actual: string, expected: string): CoreError {
  return new CoreError(
    'CORE_ADDON_MISMATCH',
    `the native addon ${place} has version ${actual}, @perdure/core has ${expected}`,
  );
}

/** R1: what the addon threw as a CoreError; anything else as it is. */
export function toCoreError(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null || thrown instanceof CoreError) return thrown;
  // Not by `instanceof Error`: the addon's errors may come from another realm, as in Jest.
  const { code, message, grpcCode, details, metadata } = thrown as Record<string, any>;
  if (typeof code !== 'string' || !code.startsWith('CORE_')) return thrown;
  switch (code as CoreErrorCode) {
    case 'CORE_RPC_FAILED':
      return new CoreRpcError(message, grpcCode, details, metadata);
    case 'CORE_CONNECT_FAILED':
      return new TransportError(message);
    case 'CORE_WORKER_CLOSED':
    case 'CORE_RUNTIME_CLOSED':
      return new ShutdownError(message, code as 'CORE_WORKER_CLOSED');
    case 'CORE_PANICKED':
      return new UnexpectedError(message);
    default:
      return new CoreError(code as CoreErrorCode, message);
  }
}
