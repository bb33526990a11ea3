import { inspect } from 'node:util';

/**
 * Looks again and again until what is waited for is there.
 * @param limitMs  for what never comes: no test may depend on how long something takes
 * @throws after `limitMs`, with what was there last
 */
export async function eventually<T>(
  get: () => Promise<T> | T,
  good: (value: T) => unknown = Boolean,
  limitMs = 60_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await get();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`did not happen: ${inspect(value, { depth: 4 })}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
