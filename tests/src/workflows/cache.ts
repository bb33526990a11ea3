/** Open workflows that count what they are told. */
import { condition, defineQuery, defineSignal, setHandler } from '@perdure/workflow';

export interface Total {
  count: number;
  sum: number;
}

/** Counts and sums its signals until it is told to stop. */
export async function tally(): Promise<Total> {
  const total: Total = { count: 0, sum: 0 };
  let done = false;
  setHandler(defineSignal<[number]>('add'), (n) => {
    total.count += 1;
    total.sum += n;
  });
  setHandler(defineQuery<Total>('total'), () => total);
  setHandler(defineSignal('stop'), () => {
    done = true;
  });
  await condition(() => done);
  return total;
}
