/** What schedules start. */
import { condition, defineSignal, setHandler } from '@perdure/workflow';

export const end = defineSignal('end');

/** Runs until it is told to end. */
export async function untilTold(): Promise<void> {
  let told = false;
  setHandler(end, () => {
    told = true;
  });
  await condition(() => told);
}

export async function atOnce(): Promise<void> {}
