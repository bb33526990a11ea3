/** A counter that everything a client can do is tried on. */
import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  setHandler,
  workflowInfo,
} from '@perdure/workflow';

export const add = defineSignal<[number]>('add');
export const finish = defineSignal('finish');
export const total = defineQuery<number>('total');
export const addAndGet = defineUpdate<number, [number]>('addAndGet');

export async function counter(start = 0): Promise<number> {
  let value = start;
  let finished = false;
  setHandler(add, (by) => {
    value += by;
  });
  setHandler(finish, () => {
    finished = true;
  });
  setHandler(total, () => value);
  setHandler(
    addAndGet,
    (by) => {
      value += by;
      return value;
    },
    {
      validator: (by) => {
        if (by < 0) throw ApplicationFailure.nonRetryable('only upwards', 'Negative');
      },
    },
  );
  await condition(() => finished);
  return value;
}

export async function timesContinued(left: number): Promise<string> {
  if (left > 0) await continueAsNew<typeof timesContinued>(left - 1);
  return workflowInfo().firstExecutionRunId;
}
