/**
 * Log lines and metrics of an operation, with its fields and what interceptors add to them.
 *
 * Invariant: fields are asked for when a line is written; an interceptor that throws costs its own additions and
 * never the line.
 */
import { composeInterceptors } from '@perdure/common';
import type { NexusOutboundCallsInterceptor } from './interceptors';

/** `input` as the interceptors change it, the first one outermost. */
export function through<T extends Record<string, any>>(
  interceptors: readonly NexusOutboundCallsInterceptor[],
  method: 'getLogAttributes' | 'getMetricTags',
  input: T,
): T {
  const safe = interceptors.map((interceptor) => ({
    [method]:
      interceptor[method] &&
      ((given: T, next: (input: T) => T): T => {
        try {
          return (interceptor[method] as any)(given, next);
        } catch {
          return next(given);
        }
      }),
  }));
  return (composeInterceptors as any)(safe, method, (given: T) => given)({ ...input });
}
