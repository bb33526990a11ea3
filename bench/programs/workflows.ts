import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type * as activities from './activities';

const { greet } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

/** Eleven events. */
export async function hello(name: string): Promise<string> {
  return await greet(name);
}

/** Five events. */
export async function noop(): Promise<void> {}

/** 5 + 6 × `length` events. */
export async function chain(length: number): Promise<number> {
  let total = 0;
  for (let index = 0; index < length; index += 1) total += (await greet('x')).length;
  return total;
}

export const proceed = defineSignal('proceed');

/** Stays open and cached until it gets its signal. */
export async function waits(): Promise<void> {
  let done = false;
  setHandler(proceed, () => {
    done = true;
  });
  await condition(() => done);
}

export const add = defineSignal<[number]>('add');

/** Counts and sums its signals until it is told to proceed. */
export async function tally(): Promise<{ count: number; sum: number }> {
  const total = { count: 0, sum: 0 };
  let done = false;
  setHandler(add, (n) => {
    total.count += 1;
    total.sum += n;
  });
  setHandler(proceed, () => {
    done = true;
  });
  await condition(() => done);
  return total;
}
