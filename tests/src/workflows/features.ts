/** One workflow per feature of the authoring API. */
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  patched,
  proxyActivities,
  proxySinks,
  type Sinks,
  setHandler,
  sleep,
  startChild,
  upsertMemo,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';

const { record } = proxyActivities<{ record(what: string): Promise<string> }>({ startToCloseTimeout: '20s' });

export async function timers(): Promise<string[]> {
  const order: string[] = [];
  const later = async (name: string, ms: number) => {
    await sleep(ms);
    order.push(name);
  };
  const cancelled = new CancellationScope();
  const never = cancelled
    .run(() => sleep('1 hour'))
    .catch((error) => order.push(`cancelled ${isCancellation(error)}`));
  await Promise.all([later('second', 1500), later('first', 500)]);
  setTimeout(() => order.push('setTimeout'), 10);
  await sleep(20);
  cancelled.cancel();
  await never;
  return order;
}

export async function clock(): Promise<unknown> {
  const before = Date.now();
  const again = new Date();
  await sleep(1000);
  const after = Date.now();
  return {
    standsStill: before === again.getTime(),
    moved: after - before >= 1000,
    random: [Math.random(), Math.random()],
    id: uuid4(),
  };
}

export const addSignal = defineSignal<[number]>('add');
export const finishSignal = defineSignal('finish');
export const totalQuery = defineQuery<number>('total');
export const failingQuery = defineQuery<number>('failing');
export const addUpdate = defineUpdate<number, [number]>('addUpdate');
export const slowUpdate = defineUpdate<string, []>('slowUpdate');

export async function counter(start = 0): Promise<number> {
  let total = start;
  let done = false;
  setHandler(addSignal, (n) => {
    total += n;
  });
  setHandler(finishSignal, () => {
    done = true;
  });
  setHandler(totalQuery, () => total);
  setHandler(failingQuery, () => {
    throw new Error('no answer');
  });
  setHandler(
    addUpdate,
    async (n) => {
      total += n;
      return total;
    },
    {
      validator: (n) => {
        if (n < 0) throw new Error('negative');
      },
    },
  );
  setHandler(slowUpdate, async () => {
    await sleep(10);
    return record('from update');
  });
  await condition(() => done);
  return total;
}

export async function conditionWithTimeout(): Promise<boolean[]> {
  let ready = false;
  setTimeout(() => {
    ready = true;
  }, 500);
  return [await condition(() => ready, '10s'), await condition(() => false, '300ms')];
}

export async function cancellable(): Promise<string> {
  try {
    await sleep('1 hour');
    return 'slept';
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => record('cleaned up'));
    throw error;
  }
}

export async function continues(n: number): Promise<string> {
  if (n > 0) await continueAsNew<typeof continues>(n - 1);
  return `done, continued from ${workflowInfo().continuedFromExecutionRunId !== undefined}`;
}

export async function parent(): Promise<unknown> {
  const result = await executeChild(child, { args: ['one'] });
  const handle = await startChild(child, {
    args: ['wait'],
    workflowId: `${workflowInfo().workflowId}-child`,
  });
  await handle.signal('release');
  const second = await handle.result();
  let failure: unknown;
  try {
    await executeChild(child, { args: ['fail'] });
  } catch (error) {
    failure = {
      isChildFailure: error instanceof ChildWorkflowFailure,
      cause: ((error as ChildWorkflowFailure).cause as Error)?.message,
    };
  }
  const abandoned = await startChild(child, {
    args: ['wait'],
    workflowId: `${workflowInfo().workflowId}-abandoned`,
    parentClosePolicy: ParentClosePolicy.ABANDON,
  });
  return { result, second, failure, parentId: workflowInfo().workflowId, abandoned: abandoned.workflowId };
}

export async function child(what: string): Promise<string> {
  let released = false;
  setHandler(defineSignal('release'), () => {
    released = true;
  });
  if (what === 'fail') throw ApplicationFailure.nonRetryable('the child failed');
  if (what === 'wait') await condition(() => released);
  return `child ${what} of ${workflowInfo().parent?.workflowId !== undefined}`;
}

export async function signalsAnother(workflowId: string): Promise<void> {
  const handle = getExternalWorkflowHandle(workflowId);
  await handle.signal(addSignal, 5);
  await handle.signal(finishSignal);
}

export async function cancelsAnother(workflowId: string): Promise<void> {
  await getExternalWorkflowHandle(workflowId).cancel();
}

export async function patching(): Promise<boolean> {
  const took = patched('a-change');
  await sleep(10);
  return took && patched('a-change');
}

interface Collector extends Sinks {
  collector: { collect(value: unknown): void };
}
const { collector } = proxySinks<Collector>();

export async function logs(): Promise<void> {
  log.info('first line', { n: 1 });
  collector.collect({ at: 'start' });
  await sleep(10);
  log.warn('second line', { n: 2 });
  collector.collect({ at: 'end' });
}

export async function info(): Promise<unknown> {
  upsertMemo({ added: 'memo' });
  upsertSearchAttributes({ TestKeyword: ['found'] });
  await sleep(10);
  const { workflowId, workflowType, namespace, taskQueue, attempt, memo, historyLength } = workflowInfo();
  return { workflowId, workflowType, namespace, taskQueue, attempt, memo, historyLength: historyLength > 0 };
}

export async function fails(how: string): Promise<void> {
  if (how === 'failure') throw ApplicationFailure.nonRetryable('on purpose', 'OnPurpose', 'detail');
  if (how === 'null') throw ApplicationFailure.fromError(null);
  throw new Error('a bug');
}
