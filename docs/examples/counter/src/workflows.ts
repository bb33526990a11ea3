import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  setHandler,
  workflowInfo,
} from '@perdure/workflow';

/** Adds to the counter; negative amounts take away. */
export const add = defineSignal<[amount: number]>('add');
/** Ends the Workflow with the current value. */
export const finish = defineSignal('finish');
/** The current value; answered while the Workflow runs and after it has ended. */
export const current = defineQuery<number>('current');

/** Keeps a number for as long as one likes: in memory here, durable on the server. */
export async function counter(value = 0): Promise<number> {
  let done = false;
  setHandler(add, (amount) => {
    value += amount;
  });
  setHandler(finish, () => {
    done = true;
  });
  setHandler(current, () => value);

  await condition(() => done || workflowInfo().continueAsNewSuggested);
  if (!done) await continueAsNew<typeof counter>(value); // a fresh history for the next ten thousand signals
  return value;
}
