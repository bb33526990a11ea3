/** Retry policies: the public form and the protocol's. */
import type { RetryPolicy as ProtoRetryPolicy } from '@perdure/proto/temporal/api/common/v1/message';
import { type Duration, optionalDurationToMs } from './durations';
import { ValueError } from './errors';
import { msNumberToTs, optionalTsToMs } from './time';

/** How often, and after which waits, an activity or workflow is tried again. */
export interface RetryPolicy {
  /** Each interval is this many times the one before; at least 1. Default 2. */
  backoffCoefficient?: number;
  /** Wait before the second attempt. Default 1 second. */
  initialInterval?: Duration;
  /** Attempts in all: 1 means no retries. Default unlimited. */
  maximumAttempts?: number;
  /** Longest wait. Default 100 times the initial interval. */
  maximumInterval?: Duration;
  /** Values of ApplicationFailure.type that are not tried again. */
  nonRetryableErrorTypes?: string[];
}

/**
 * The protocol's form of a retry policy.
 * @throws {ValueError} naming the field that is wrong
 */
export function compileRetryPolicy(retryPolicy: RetryPolicy): ProtoRetryPolicy {
  const { backoffCoefficient, maximumAttempts, nonRetryableErrorTypes } = retryPolicy;
  if (backoffCoefficient !== undefined && backoffCoefficient !== null) {
    if (typeof backoffCoefficient !== 'number' || !(backoffCoefficient >= 1)) {
      throw new ValueError(
        `RetryPolicy.backoffCoefficient must be at least 1, got ${String(backoffCoefficient)}`,
      );
    }
  }
  if (
    maximumAttempts !== undefined &&
    maximumAttempts !== null &&
    maximumAttempts !== Number.POSITIVE_INFINITY
  ) {
    if (typeof maximumAttempts !== 'number' || !Number.isInteger(maximumAttempts)) {
      throw new ValueError(`RetryPolicy.maximumAttempts must be an integer, got ${String(maximumAttempts)}`);
    }
    if (maximumAttempts <= 0 || maximumAttempts > 0x7fffffff) {
      throw new ValueError(`RetryPolicy.maximumAttempts must be a positive integer, got ${maximumAttempts}`);
    }
  }
  const initialMs = optionalDurationToMs(retryPolicy.initialInterval, 'RetryPolicy.initialInterval') ?? 1000;
  if (initialMs <= 0)
    throw new ValueError(`RetryPolicy.initialInterval must be greater than 0, got ${initialMs} ms`);
  const maximumMs = optionalDurationToMs(retryPolicy.maximumInterval, 'RetryPolicy.maximumInterval');
  if (maximumMs !== undefined && maximumMs <= 0) {
    throw new ValueError(`RetryPolicy.maximumInterval must be greater than 0, got ${maximumMs} ms`);
  }
  if (maximumMs !== undefined && maximumMs < initialMs) {
    throw new ValueError(
      `RetryPolicy.maximumInterval (${maximumMs} ms) must not be less than initialInterval (${initialMs} ms)`,
    );
  }
  if (
    nonRetryableErrorTypes !== undefined &&
    nonRetryableErrorTypes !== null &&
    !(
      Array.isArray(nonRetryableErrorTypes) &&
      nonRetryableErrorTypes.every((type) => typeof type === 'string')
    )
  ) {
    throw new ValueError('RetryPolicy.nonRetryableErrorTypes must be an array of strings');
  }
  return {
    // 0 is how the protocol says unlimited
    maximumAttempts: maximumAttempts === Number.POSITIVE_INFINITY ? 0 : (maximumAttempts ?? undefined),
    initialInterval: msNumberToTs(initialMs),
    maximumInterval: maximumMs === undefined ? undefined : msNumberToTs(maximumMs),
    backoffCoefficient: backoffCoefficient ?? undefined,
    nonRetryableErrorTypes: nonRetryableErrorTypes ?? undefined,
  };
}

/** The public form of a retry policy; undefined for null and undefined. */
export function decompileRetryPolicy(retryPolicy?: ProtoRetryPolicy | null): RetryPolicy | undefined {
  if (retryPolicy === undefined || retryPolicy === null) return undefined;
  return {
    backoffCoefficient: retryPolicy.backoffCoefficient || undefined,
    maximumAttempts: retryPolicy.maximumAttempts || undefined,
    maximumInterval: optionalTsToMs(retryPolicy.maximumInterval),
    initialInterval: optionalTsToMs(retryPolicy.initialInterval),
    nonRetryableErrorTypes: retryPolicy.nonRetryableErrorTypes ?? undefined,
  };
}
