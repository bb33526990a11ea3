/**
 * What a Nexus handler answered, as callers of operations see it: the HandlerError of nexus-rpc, made without that
 * package, which workflows need not have. Its `instanceof` asks for a mark that is shared across copies; errors made
 * here carry it.
 */
import type { ProtoFailure } from './failure';
import { readProperty } from './type-helpers';

const MARK = Symbol.for('__nexus_isHandlerError');

/** The types that nexus-rpc knows, and whether a request that failed so may be repeated. */
const RETRYABLE_BY_TYPE: ReadonlyMap<string, boolean> = new Map([
  ['BAD_REQUEST', false],
  ['UNAUTHENTICATED', false],
  ['UNAUTHORIZED', false],
  ['NOT_FOUND', false],
  ['NOT_IMPLEMENTED', false],
  ['CONFLICT', false],
  ['REQUEST_TIMEOUT', true],
  ['RESOURCE_EXHAUSTED', true],
  ['INTERNAL', true],
  ['UNAVAILABLE', true],
  ['UPSTREAM_TIMEOUT', true],
  ['UNKNOWN', true],
]);

// temporal.api.enums.v1.NexusHandlerErrorRetryBehavior
const RETRYABLE = 1;
const NON_RETRYABLE = 2;

type HandlerInfo = NonNullable<ProtoFailure['nexusHandlerFailureInfo']>;

class HandlerError extends Error {
  declare readonly cause?: unknown;
  /** One of nexus-rpc's types; UNKNOWN for every other. */
  readonly type: string;
  /** As the handler gave it. */
  readonly rawErrorType: string;
  /** Set if the handler said so. */
  readonly retryableOverride?: boolean;

  constructor(message: string, { type, retryBehavior }: HandlerInfo, cause: Error | undefined) {
    super(message || `Handler error: ${type}`, cause && { cause });
    this.rawErrorType = type || 'UNKNOWN';
    this.type = RETRYABLE_BY_TYPE.has(this.rawErrorType) ? this.rawErrorType : 'UNKNOWN';
    if (retryBehavior === RETRYABLE || retryBehavior === NON_RETRYABLE) {
      this.retryableOverride = retryBehavior === RETRYABLE;
    }
  }

  get retryable(): boolean {
    return this.retryableOverride ?? RETRYABLE_BY_TYPE.get(this.type)!;
  }
}
Object.defineProperty(HandlerError.prototype, 'name', {
  value: 'HandlerError',
  configurable: true,
  writable: true,
});
Object.defineProperty(HandlerError.prototype, MARK, { value: true });

export function handlerErrorFrom(message: string, info: HandlerInfo, cause: Error | undefined): Error {
  return new HandlerError(message, info, cause);
}

/** @returns undefined for other errors than handler errors, of whatever copy of nexus-rpc */
export function handlerInfoOf(error: unknown): HandlerInfo | undefined {
  if (readProperty(error, MARK) !== true) return undefined;
  const type = readProperty(error, 'rawErrorType') ?? readProperty(error, 'type');
  const override = readProperty(error, 'retryableOverride');
  return {
    type: typeof type === 'string' ? type : 'UNKNOWN',
    retryBehavior: typeof override === 'boolean' ? (override ? RETRYABLE : NON_RETRYABLE) : undefined,
  };
}
