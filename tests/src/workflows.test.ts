/** Features of the workflow API on a real server, with the histories they leave. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@perdure/client';
import { ApplicationFailure, CancelledFailure, hasCode } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { eventNames, eventsOfType, harness, rejection, until, workflowsDir } from './support/harness';

const h = harness();
const recorded: string[] = [];
const collected: unknown[] = [];
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath: join(workflowsDir, 'features.ts'),
    activities: {
      record: async (what: string) => {
        recorded.push(what);
        return `recorded ${what}`;
      },
    },
    sinks: {
      collector: {
        collect: {
          fn: (info, value) => {
            collected.push([info.workflowId, value, info.startTime instanceof Date]);
          },
        },
      },
    },
  });
  h.background(worker);
});

it('fires timers in the order of their deadlines and cancels one', async () => {
  const handle = await h.start(worker, 'timers');
  expect(await handle.result()).toEqual(['first', 'second', 'setTimeout', 'cancelled true']);
  const names = await eventNames(handle);
  expect(names.filter((name) => name === 'TimerStarted')).toHaveLength(5);
  expect(names.filter((name) => name === 'TimerCanceled')).toHaveLength(1);
});

it('says in the history which SDK has run it', async () => {
  const handle = await h.start(worker, 'info');
  await handle.result();
  const [completed] = await eventsOfType(handle, 'WorkflowTaskCompleted');
  expect(completed!.workflowTaskCompletedEventAttributes).toMatchObject({
    identity: worker.options.identity,
    sdkMetadata: { sdkName: 'perdure-typescript', sdkVersion: expect.stringMatching(/^\d+\.\d+\.\d+/) },
  });
});

it('has a clock that stands still within a task, and random numbers of its own', async () => {
  const [one, two] = await Promise.all([h.execute(worker, 'clock'), h.execute(worker, 'clock')]);
  for (const result of [one, two]) {
    expect(result).toMatchObject({ standsStill: true, moved: true });
    expect(result.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  expect(one.random).not.toEqual(two.random);
});

it('handles signals, answers queries, and ends with the state they left', async () => {
  const handle = await h.start(worker, 'counter', [10]);
  await handle.signal('add', 5);
  await until(async () => (await handle.query('total')) === 15, 'the signal has been handled');
  await handle.signal('add', 6);
  await handle.signal('finish');
  expect(await handle.result()).toBe(21);
  expect(await handle.query('total')).toBe(21);
  expect(await eventsOfType(handle, 'WorkflowExecutionSignaled')).toHaveLength(3);
});

it('tells the caller why a query failed', async () => {
  const handle = await h.start(worker, 'counter');
  expect((await rejection(handle.query('failing'))).message).toContain('no answer');
  const unknown = await rejection(handle.query('never heard of'));
  expect(unknown.message).toMatch(/never heard of/);
  await handle.terminate();
});

it('runs updates, rejects those that the validator refuses, without a trace in the history', async () => {
  const handle = await h.start(worker, 'counter', [1]);
  expect(await handle.executeUpdate('addUpdate', { args: [2] })).toBe(3);
  expect(await handle.executeUpdate('slowUpdate')).toBe('recorded from update');
  const refused = await rejection(handle.executeUpdate('addUpdate', { args: [-1] }));
  expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
  expect(refused.cause.message).toBe('negative');
  await handle.signal('finish');
  expect(await handle.result()).toBe(3);
  const names = await eventNames(handle);
  expect(names.filter((name) => name === 'WorkflowExecutionUpdateAccepted')).toHaveLength(2);
  expect(names.filter((name) => name === 'WorkflowExecutionUpdateCompleted')).toHaveLength(2);
});

it('starts a workflow with a signal, and signals the one that runs the second time', async () => {
  const workflowId = `sws-${randomUUID()}`;
  const options = { taskQueue: worker.options.taskQueue, workflowId, args: [100] as [number] };
  const handle = await h.client.workflow.signalWithStart('counter', {
    ...options,
    signal: 'add',
    signalArgs: [1],
  });
  const again = await h.client.workflow.signalWithStart('counter', {
    ...options,
    signal: 'add',
    signalArgs: [2],
  });
  expect(again.signaledRunId).toBe(handle.signaledRunId);
  await handle.signal('finish');
  expect(await handle.result()).toBe(103);
});

it('waits for conditions, with a time limit', async () => {
  expect(await h.execute(worker, 'conditionWithTimeout')).toEqual([true, false]);
});

it('cancels a workflow, which may clean up first', async () => {
  recorded.length = 0;
  const handle = await h.start(worker, 'cancellable');
  await until(async () => (await eventNames(handle)).includes('TimerStarted'), 'the workflow sleeps');
  await handle.cancel();
  const error = await rejection(handle.result());
  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(error.cause).toBeInstanceOf(CancelledFailure);
  expect(recorded).toEqual(['cleaned up']);
  expect((await eventNames(handle)).slice(-1)).toEqual(['WorkflowExecutionCanceled']);
});

it('terminates a workflow', async () => {
  const handle = await h.start(worker, 'cancellable');
  await handle.terminate('enough');
  expect((await rejection(handle.result())).cause.name).toBe('TerminatedFailure');
});

it('continues as new and follows to the last run', async () => {
  const handle = await h.start(worker, 'continues', [2]);
  expect(await handle.result()).toBe('done, continued from true');
  const first = h.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
  expect((await eventNames(first)).at(-1)).toBe('WorkflowExecutionContinuedAsNew');
});

it('runs children: their results, their failures, signals to them, and those that outlive it', async () => {
  const handle = await h.start(worker, 'parent');
  expect(await handle.result()).toEqual({
    result: 'child one of true',
    second: 'child wait of true',
    failure: { isChildFailure: true, cause: 'the child failed' },
    parentId: handle.workflowId,
    abandoned: `${handle.workflowId}-abandoned`,
  });
  const names = await eventNames(handle);
  expect(names.filter((name) => name === 'ChildWorkflowExecutionCompleted')).toHaveLength(2);
  expect(names.filter((name) => name === 'ChildWorkflowExecutionFailed')).toHaveLength(1);
  expect(names).toContain('ExternalWorkflowExecutionSignaled');
  const abandoned = h.client.workflow.getHandle(`${handle.workflowId}-abandoned`);
  expect((await abandoned.describe()).status.name).toBe('RUNNING');
  await abandoned.signal('release');
  expect(await abandoned.result()).toBe('child wait of true');
});

it('signals and cancels other workflows', async () => {
  const target = await h.start(worker, 'counter', [1]);
  await h.execute(worker, 'signalsAnother', [target.workflowId]);
  expect(await target.result()).toBe(6);
  const victim = await h.start(worker, 'cancellable');
  await h.execute(worker, 'cancelsAnother', [victim.workflowId]);
  expect((await rejection(victim.result())).cause).toBeInstanceOf(CancelledFailure);
  const failed = await rejection(h.execute(worker, 'cancelsAnother', ['nobody']));
  expect(failed.cause.message).toMatch(/not found|external/i);
});

it('marks a patch once', async () => {
  const handle = await h.start(worker, 'patching');
  expect(await handle.result()).toBe(true);
  expect(await eventsOfType(handle, 'MarkerRecorded')).toHaveLength(1);
});

it('logs and calls sinks once, with the attributes of the run', async () => {
  collected.length = 0;
  const handle = await h.start(worker, 'logs');
  await handle.result();
  await until(() => collected.length === 2, 'both sink calls have been made');
  expect(collected).toEqual([
    [handle.workflowId, { at: 'start' }, true],
    [handle.workflowId, { at: 'end' }, true],
  ]);
  const lines = () => h.log.lines.filter(({ meta }) => meta.workflowId === handle.workflowId && 'n' in meta);
  await until(() => lines().length >= 2, 'both lines are logged');
  expect(lines().map(({ level, message }) => [level, message])).toEqual([
    ['INFO', 'first line'],
    ['WARN', 'second line'],
  ]);
  expect(lines()[0]!.meta).toMatchObject({
    sdkComponent: 'workflow',
    workflowType: 'logs',
    namespace: 'default',
    taskQueue: worker.options.taskQueue,
    runId: handle.firstExecutionRunId,
  });
});

it('knows its own execution, and can be described and listed by what it sets', async () => {
  const handle = await h.start(worker, 'info', [], { memo: { given: 1 } });
  expect(await handle.result()).toMatchObject({
    workflowId: handle.workflowId,
    workflowType: 'info',
    namespace: 'default',
    taskQueue: worker.options.taskQueue,
    attempt: 1,
    memo: { given: 1, added: 'memo' },
    historyLength: true,
  });
  const description = await handle.describe();
  expect(description).toMatchObject({ type: 'info', memo: { given: 1, added: 'memo' } });
  expect(description.status.name).toBe('COMPLETED');
  const found: string[] = [];
  await until(async () => {
    found.length = 0;
    for await (const { workflowId } of h.client.workflow.list({
      query: `WorkflowId = '${handle.workflowId}' AND TestKeyword = 'found'`,
    })) {
      found.push(workflowId);
    }
    return found.length > 0;
  }, 'the workflow is listed');
  expect(found).toEqual([handle.workflowId]);
});

it('fails with what the workflow threw', async () => {
  const handle = await h.start(worker, 'fails', ['failure']);
  const error = await rejection(handle.result());
  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(error.cause).toBeInstanceOf(ApplicationFailure);
  expect(error.cause).toMatchObject({
    message: 'on purpose',
    type: 'OnPurpose',
    nonRetryable: true,
    details: ['detail'],
  });
});

it('keeps a workflow with a bug open: its task fails, with the line of the source, until the code is mended', async () => {
  const handle = await h.start(worker, 'fails', ['bug']);
  await until(async () => (await failedTasks(handle)).length > 0, 'a task has failed');
  const [failed] = await failedTasks(handle);
  const failure = failed!.workflowTaskFailedEventAttributes!.failure!;
  expect(failure.message).toBe('a bug');
  expect(failure.stackTrace).toMatch(/features\.ts:\d+/);
  expect((await handle.describe()).status.name).toBe('RUNNING');
  await handle.terminate();
});

it('fails the task of a workflow type that the bundle does not have', async () => {
  const handle = await h.start(worker, '__proto__');
  await until(async () => (await failedTasks(handle)).length > 0, 'a task has failed');
  const [failed] = await failedTasks(handle);
  expect(failed!.workflowTaskFailedEventAttributes!.failure!.message).toMatch(/__proto__/);
  await handle.terminate();
});

it('finds no workflow that is not there', async () => {
  const error = await rejection(h.client.workflow.getHandle('nobody').describe());
  expect(hasCode(error, 'WORKFLOW_EXECUTION_NOT_FOUND')).toBe(true);
});

const failedTasks = (handle: Parameters<typeof eventsOfType>[0]) =>
  eventsOfType(handle, 'WorkflowTaskFailed');
