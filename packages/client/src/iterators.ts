/** Asynchronous iteration with several items under way. */

/**
 * Maps every item of `source`, up to `concurrency` at a time, in the order of `source`.
 * @param bufferLimit  how many results, done or under way, may wait beyond those under way; unlimited if not given
 */
export async function* mapConcurrently<A, B>(
  source: AsyncIterable<A>,
  map: (item: A) => Promise<B>,
  { concurrency, bufferLimit = Number.POSITIVE_INFINITY }: { concurrency: number; bufferLimit?: number },
): AsyncGenerator<B> {
  const iterator = source[Symbol.asyncIterator]();
  const pending: Promise<B>[] = [];
  let running = 0;
  let sourceEnded = false;
  let failure: { error: unknown } | undefined;
  let wake = () => {};

  const feed = async () => {
    while (!sourceEnded && failure === undefined) {
      if (running >= concurrency || pending.length >= concurrency + bufferLimit) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const next = await iterator.next();
      if (next.done) {
        sourceEnded = true;
        break;
      }
      running++;
      const mapped = map(next.value).finally(() => {
        running--;
        wake();
      });
      mapped.catch(() => {}); // reported when its turn comes
      pending.push(mapped);
      arrived();
    }
    arrived();
  };
  let arrived = () => {};
  const feeding = feed().catch((error) => {
    failure = { error };
    arrived();
  });
  try {
    for (;;) {
      const first = pending.shift();
      if (first !== undefined) {
        wake();
        yield await first;
        continue;
      }
      if (failure !== undefined) throw failure.error;
      if (sourceEnded) return;
      await new Promise<void>((resolve) => {
        arrived = resolve;
        if (pending.length > 0 || sourceEnded || failure !== undefined) resolve();
      });
    }
  } finally {
    sourceEnded = true;
    wake();
    await feeding;
    await iterator.return?.();
  }
}
