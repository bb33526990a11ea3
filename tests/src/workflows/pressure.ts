/** Workflows that want much memory, or never yield. */
import { condition, defineQuery, defineSignal, setHandler } from '@perdure/workflow';

/** Holds `kilobytes` of numbers until it is told one more, and sums them all. */
export async function hoard(kilobytes: number, first: number): Promise<number> {
  const held = Array.from({ length: kilobytes * 128 }, (_, index) => first + index);
  let told: number | undefined;
  setHandler(defineSignal<[number]>('tell'), (n) => {
    told = n;
  });
  setHandler(defineQuery<number>('held'), () => held.length);
  await condition(() => told !== undefined);
  return held.reduce((sum, n) => sum + n, told!);
}

export async function neverYields(): Promise<number> {
  let spins = 0;
  while (spins >= 0) spins = (spins + 1) % 1000;
  return spins; // read, so that no optimiser takes the loop away
}
