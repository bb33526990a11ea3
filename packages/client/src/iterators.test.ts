import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { mapConcurrently } from './iterators';

async function* from<T>(items: readonly T[], onPull = () => {}) {
  for (const item of items) {
    onPull();
    yield item;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('mapConcurrently', () => {
  it('keeps the order and never has more under way than allowed, whatever the delays', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(3), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        fc.option(fc.nat(3), { nil: undefined }),
        async (delays, concurrency, bufferLimit) => {
          let running = 0;
          let most = 0;
          const mapped = mapConcurrently(
            from(delays.map((delay, index) => ({ delay, index }))),
            async ({ delay, index }) => {
              most = Math.max(most, ++running);
              await sleep(delay);
              running--;
              return index;
            },
            { concurrency, bufferLimit },
          );
          expect(await collect(mapped)).toEqual(delays.map((_, index) => index));
          expect(most).toBeLessThanOrEqual(concurrency);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads no further ahead than the buffer allows', async () => {
    let pulled = 0;
    const source = from([...Array(50).keys()], () => pulled++);
    const mapped = mapConcurrently(source, async (item) => item, { concurrency: 2, bufferLimit: 3 });
    await mapped.next();
    await sleep(20);
    expect(pulled).toBeLessThanOrEqual(1 + 2 + 3 + 1);
    await mapped.return(undefined);
  });

  it('ends with the failure of an item or of the source, and closes the source', async () => {
    let closed = false;
    async function* source() {
      try {
        yield 1;
        yield 2;
        yield 3;
      } finally {
        closed = true;
      }
    }
    const mapped = mapConcurrently(
      source(),
      async (item) => {
        if (item === 2) throw new Error('item');
        return item;
      },
      { concurrency: 1 },
    );
    await expect(collect(mapped)).rejects.toThrow('item');
    expect(closed).toBe(true);
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error('source');
    }
    await expect(
      collect(mapConcurrently(broken(), async (item) => item, { concurrency: 3 })),
    ).rejects.toThrow('source');
  });
});
