/** What the chaos campaigns run: activities in a row, signals at any time, all of it told in the result. */
import type { Duration } from '@perdure/common';
import { condition, defineQuery, defineSignal, proxyActivities, setHandler, sleep } from '@perdure/workflow';

export const STEPS = 5;
export const SIGNALS = 5;

/** What a run has seen: the results of its activities, and the numbers of its signals in order of arrival. */
export interface Seen {
  readonly tokens: string[];
  readonly signals: number[];
}

export const pokeSignal = defineSignal<[number]>('poke');
export const seenQuery = defineQuery<Seen>('seen');

/** @param activityTimeout after which an activity is tried again: its worker may be gone */
export async function steady(workflow: number, activityTimeout: Duration): Promise<Seen> {
  const { work } = proxyActivities<{ work(workflow: number, step: number): Promise<string> }>({
    startToCloseTimeout: activityTimeout,
    retry: { initialInterval: '50ms', backoffCoefficient: 1 },
  });
  const seen: Seen = { tokens: [], signals: [] };
  setHandler(pokeSignal, (n) => void seen.signals.push(n));
  setHandler(seenQuery, () => seen);
  for (let step = 0; step < STEPS; step++) {
    seen.tokens.push(await work(workflow, step));
    if (step % 2 === 1) await sleep(10);
  }
  await condition(() => new Set(seen.signals).size === SIGNALS);
  await sleep(50); // for a signal that comes twice
  return seen;
}
