/** Waiting that an AbortSignal ends. */

/** Waits `ms` milliseconds, or until `signal` aborts. @returns whether the time has passed */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (passed: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(passed);
    };
    const onAbort = () => end(false);
    const timer = setTimeout(() => end(true), ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits before the next attempt: `firstMs` × 1.7ⁿ, at most `longestMs`, ± 20 %. @param attempt counts from 1 */
export function backoffMs(attempt: number, firstMs: number, longestMs: number): number {
  const wait = Math.min(firstMs * 1.7 ** (attempt - 1), longestMs);
  return wait * (0.8 + 0.4 * Math.random());
}
