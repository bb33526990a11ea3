/** Workflows that call activities of any worker, as their arguments say. */
import {
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  isCancellation,
  type LocalActivityOptions,
  proxyActivities,
  proxyLocalActivities,
  TimeoutFailure,
} from '@perdure/workflow';

type Any = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** What the activity returned. */
export async function callActivity(
  name: string,
  args: unknown[],
  options: ActivityOptions,
): Promise<unknown> {
  return proxyActivities<Any>({ startToCloseTimeout: '30s', ...options })[name]!(...args);
}

/** What the local activity returned. */
export async function callLocalActivity(
  name: string,
  args: unknown[],
  options: LocalActivityOptions,
): Promise<unknown> {
  return proxyLocalActivities<Any>({ startToCloseTimeout: '10m', ...options })[name]!(...args);
}

/** How the activity ended, in words. */
export async function howItEnds(name: string, args: unknown[], options: ActivityOptions): Promise<unknown> {
  try {
    return { returned: await callActivity(name, args, options) };
  } catch (error) {
    if (isCancellation(error)) return 'cancelled';
    const cause = error instanceof ActivityFailure ? error.cause : (error as Error);
    if (cause instanceof ApplicationFailure) {
      const { type, message, details, nonRetryable } = cause;
      return { type, message, details, nonRetryable };
    }
    if (cause instanceof TimeoutFailure) return { timeout: cause.timeoutType };
    return { name: cause?.name, message: cause?.message };
  }
}

/** Many calls at the same time. */
export async function callMany(name: string, count: number, options: ActivityOptions): Promise<unknown[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => callActivity(name, [i], options)));
}
