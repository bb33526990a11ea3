/** Workflows that issue one kind of command with the options that the test gives. */
import { defineSearchAttributeKey } from '@perdure/common';
import {
  type ActivityOptions,
  CancellationScope,
  type ChildWorkflowOptions,
  type ContinueAsNewOptions,
  condition,
  createActivityHandle,
  createEventGroup,
  defineSignal,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  type LocalActivityOptions,
  makeContinueAsNewFunc,
  proxyActivities,
  proxyLocalActivities,
  scheduleActivity,
  scheduleLocalActivity,
  setHandler,
  sleep,
  startChild,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@perdure/workflow';

interface Activities {
  echo(...values: unknown[]): Promise<unknown[]>;
  waits(): Promise<string>;
}

export async function activities(options: ActivityOptions): Promise<unknown[]> {
  const { echo } = proxyActivities<Activities>({
    scheduleToCloseTimeout: '1 minute',
    summary: 'of the proxy',
  });
  return [
    await proxyActivities<Activities>(options).echo('proxied', 1),
    await scheduleActivity<unknown[]>('echo', ['by name'], { ...options, activityId: 'second' }),
    await echo.executeWithOptions({ ...options, activityId: 'third' }, ['with options']),
    await echo('as the proxy says'),
  ];
}

export async function locals(options: LocalActivityOptions): Promise<unknown[]> {
  const { echo } = proxyLocalActivities<Activities>({ startToCloseTimeout: '1 minute' });
  return [
    await proxyLocalActivities<Activities>(options).echo('proxied', 1),
    await scheduleLocalActivity<unknown[]>('echo', ['by name'], options),
    await echo.executeWithOptions(options, ['with options']),
  ];
}

/** @returns how the call ended, and whether the activity had ended by then */
export async function cancelsWork(
  kind: 'activity' | 'local',
  options: ActivityOptions & LocalActivityOptions,
): Promise<string> {
  const { waits } =
    kind === 'activity' ? proxyActivities<Activities>(options) : proxyLocalActivities<Activities>(options);
  const scope = new CancellationScope();
  const running = scope.run(() => waits());
  running.catch(() => undefined);
  let go = false;
  setHandler(defineSignal('go'), () => {
    go = true;
  });
  if (kind === 'activity') await condition(() => go);
  else await sleep(10);
  scope.cancel();
  try {
    return `returned ${await running}`;
  } catch (error) {
    return isCancellation(error) ? 'cancelled' : `failed: ${(error as Error).name}`;
  }
}

export async function timers(): Promise<string[]> {
  const group = createEventGroup('a group');
  const other = createEventGroup('another', { id: 'other' });
  const order: string[] = [];
  await Promise.all([
    sleep('1 second', { summary: 'a nap' }).then(() => order.push('nap')),
    group.withScope(() => sleep(10, { eventGroups: [other] })).then(() => order.push('short')),
    condition(() => order.includes('nap'), '1 hour', { summary: 'a deadline' }).then((met) =>
      order.push(`condition ${met}`),
    ),
  ]);
  const timeout = setTimeout(() => order.push('never'), 60_000);
  clearTimeout(timeout);
  return order;
}

export async function knowsItself(): Promise<unknown> {
  const { unsafe, typedSearchAttributes, searchAttributes, ...info } = workflowInfo();
  return {
    ...info,
    typed: typedSearchAttributes.getAll(),
    untyped: searchAttributes,
    replaying: [unsafe.isReplaying, unsafe.isReplayingHistoryEvents],
    clockIsReal: Math.abs(unsafe.now() - Date.now()) < 60_000,
  };
}

class OfTheWorker extends Error {
  override name = 'OfTheWorker';
}

export async function throwsOwnError(): Promise<void> {
  throw new OfTheWorker('named by the worker');
}

export async function child(value: unknown): Promise<unknown> {
  const { parent, root, taskQueue, workflowId, memo, typedSearchAttributes, priority } = workflowInfo();
  if (value === 'waits') await condition(() => false);
  return {
    value,
    parent,
    root,
    taskQueue,
    workflowId,
    memo,
    priority,
    searchAttributes: typedSearchAttributes.getAll(),
  };
}

export async function startsChild(options: ChildWorkflowOptions): Promise<unknown> {
  return executeChild(child, {
    ...options,
    args: ['a value'],
    typedSearchAttributes: [
      { key: defineSearchAttributeKey('TestKeyword', 'KEYWORD'), value: 'of the child' },
    ],
  });
}

export async function startsTwice(workflowId: string): Promise<string> {
  await startChild(child, { workflowId, args: ['waits'] });
  try {
    await startChild(child, { workflowId, args: ['waits'] });
    return 'started twice';
  } catch (error) {
    return `${(error as Error).name} ${(error as { workflowId?: string }).workflowId === workflowId}`;
  }
}

/** Ends with three children open, one for each policy. */
export async function leavesChildren(): Promise<void> {
  const { workflowId } = workflowInfo();
  for (const parentClosePolicy of ['TERMINATE', 'ABANDON', 'REQUEST_CANCEL'] as const) {
    await startChild(child, {
      workflowId: `${workflowId}-${parentClosePolicy}`,
      args: ['waits'],
      parentClosePolicy,
    });
  }
}

export async function cancelsChild(
  cancellationType: ChildWorkflowOptions['cancellationType'],
): Promise<{ outcome: string; childClosed: boolean }> {
  const scope = new CancellationScope();
  const result = await scope.run(async () => {
    const workflowId = `${workflowInfo().workflowId}-child`;
    const handle = await startChild(stubborn, { workflowId, cancellationType });
    return { waited: handle.result() };
  });
  scope.cancel();
  try {
    return { outcome: `returned ${await result.waited}`, childClosed: true };
  } catch (error) {
    return { outcome: isCancellation(error) ? 'cancelled' : String(error), childClosed: false };
  }
}

/** Is cancelled only after it was told to end. */
export async function stubborn(): Promise<string> {
  let ended = false;
  setHandler(defineSignal('end'), () => {
    ended = true;
  });
  try {
    await condition(() => false);
    return 'was never asked';
  } catch (error) {
    await CancellationScope.nonCancellable(() => condition(() => ended));
    throw error;
  }
}

export async function reachesOut(workflowId: string, runId: string): Promise<void> {
  const handle = getExternalWorkflowHandle(workflowId, runId);
  await handle.signal('news', 'a', 1);
  await handle.signalWithOptions('news', { args: ['b', 2] });
  await handle.cancel();
}

export async function collects(): Promise<unknown[]> {
  const news: unknown[] = [];
  setHandler(defineSignal<unknown[]>('news'), (...args) => {
    news.push(args);
  });
  try {
    await condition(() => false);
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
  return news;
}

export async function continues(options: ContinueAsNewOptions, left: number): Promise<unknown> {
  const { memo, typedSearchAttributes, taskQueue, runTimeoutMs, taskTimeoutMs } = workflowInfo();
  if (left > 0) {
    await makeContinueAsNewFunc<typeof continues>({
      ...options,
      typedSearchAttributes: [
        { key: defineSearchAttributeKey('TestKeyword', 'KEYWORD'), value: 'of the next' },
      ],
    })(options, left - 1);
  }
  const { continuedFromExecutionRunId, firstExecutionRunId, runId, originalExecutionRunId } = workflowInfo();
  return {
    memo,
    searchAttributes: typedSearchAttributes.getAll(),
    taskQueue,
    runTimeoutMs,
    taskTimeoutMs,
    continued: continuedFromExecutionRunId === firstExecutionRunId && runId !== firstExecutionRunId,
    original: originalExecutionRunId === runId,
  };
}

export async function describesItself(): Promise<unknown[]> {
  const key = defineSearchAttributeKey('TestKeyword', 'KEYWORD');
  const seen: unknown[] = [];
  const note = () => {
    const { memo, typedSearchAttributes, searchAttributes } = workflowInfo();
    seen.push({ memo, typed: typedSearchAttributes.get(key), untyped: searchAttributes?.TestKeyword });
  };
  note();
  upsertMemo({ given: null, added: [1, 2] });
  upsertSearchAttributes([{ key, value: 'typed' }]);
  note();
  upsertSearchAttributes({ TestKeyword: ['untyped'] });
  note();
  upsertSearchAttributes([{ key, value: null }]);
  upsertMemo({ added: 3 });
  note();
  return seen;
}

/** As the pages of the time before version 1.0 have it. */
export async function olderSpelling(): Promise<unknown> {
  const { echo } = createActivityHandle<Activities>({ startToCloseTimeout: '61s' });
  return echo('as it was written then');
}
