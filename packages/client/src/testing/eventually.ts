/** Looks again and again until the server shows what is waited for. @throws after `limitMs`, with what it showed last */
export async function eventually<T>(
  get: () => Promise<T>,
  good: (value: T) => boolean,
  limitMs = 15_000,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await get();
    if (good(value)) return value;
    if (Date.now() > end) throw new Error(`did not happen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
